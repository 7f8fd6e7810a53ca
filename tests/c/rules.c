/* Rules that need no store, beside those that the shared vectors test. */
#include "check.h"

static bool text_is(char *text, const char *wanted) {
  bool same = text != NULL && strcmp(text, wanted) == 0;
  openwa_string_free(text);
  return same;
}

static void addresses_are_told_apart(void) {
  char *text;
  bool truth;
  OK(openwa_policy_normalize_address(OPENWA_STR("12025550100:7@c.us"), &text, &err));
  CHECK(text_is(text, "12025550100@s.whatsapp.net"));
  OK(openwa_policy_phone_digits(OPENWA_STR("+12025550100"), &text, &err));
  CHECK(text_is(text, "12025550100"));
  OK(openwa_policy_phone_digits(OPENWA_STR("20000000000100@lid"), &text, &err));
  CHECK(text == NULL);
  OK(openwa_policy_is_group(OPENWA_STR("120363400000000000@g.us"), &truth, &err));
  CHECK(truth);
  OK(openwa_policy_is_newsletter(OPENWA_STR("120363500000000000@newsletter"), &truth, &err));
  CHECK(truth);
  OK(openwa_policy_is_lid(OPENWA_STR("1:2@hosted.lid"), &truth, &err));
  CHECK(truth);
  OK(openwa_policy_is_phone(OPENWA_STR("12025550100@c.us"), &truth, &err));
  CHECK(truth);
  OK(openwa_policy_is_person(OPENWA_STR("status@broadcast"), &truth, &err));
  CHECK(!truth);
  int64_t n;
  OK(openwa_policy_text_length(OPENWA_STR("a\303\244\360\237\221\215"), &n, &err));
  CHECK(n == 3);
}

static void settings_are_checked(void) {
  OK(openwa_policy_check_session_config(OPENWA_STR("{\"autoReconnect\": true}"), &err));
  FAILS(openwa_policy_check_session_config(OPENWA_STR("{\"proxy\": {\"port\": 0}}"), &err), OPENWA_ERR_INVALID_ARGUMENT,
        "proxy.port");
  OK(openwa_policy_check_media(OPENWA_STR("{\"mimetype\": \"image/jpeg\"}"), &err));
  OK(openwa_policy_check_batch_options(OPENWA_STR("{\"delayMs\": 5}"), &err));
  OK(openwa_policy_check_scope(OPENWA_STR("[\"support\"]"), &err));
  FAILS(openwa_policy_check_scope(OPENWA_STR("[1]"), &err), OPENWA_ERR_INVALID_ARGUMENT, "string");
  bool truth;
  OK(openwa_policy_history_enabled(OPENWA_STR("{\"history\": false}"), &truth, &err));
  CHECK(!truth);
  int64_t window, month = 30 * 86400000LL;
  OK(openwa_policy_message_window(OPENWA_STR("{\"retention\": {\"messages\": 90}}"), &month, &window, &truth, &err));
  CHECK(!truth && window == 90 * 86400000LL);
  OK(openwa_policy_message_window(OPENWA_STR("{\"retention\": {\"messages\": null}}"), &month, &window, &truth, &err));
  CHECK(truth && window == 0);
  int64_t known = 0;
  OK(openwa_policy_check_retention_clock(month, month, &known, NULL, &err));
  FAILS(openwa_policy_check_retention_clock(3 * month, month, &known, NULL, &err), OPENWA_ERR_CLOCK_JUMP, "force");
}

static void keys_and_hooks(void) {
  char *text;
  OK(openwa_policy_generate_key(&text, &err));
  CHECK(strlen(text) == 71);
  openwa_string_free(text);
  OK(openwa_policy_check_key(OPENWA_STR("  a key "), &text, &err));
  CHECK(text_is(text, "a key"));
  OK(openwa_policy_check_webhook_ip(OPENWA_STR("203.0.113.1"), false, &err));
  FAILS(openwa_policy_check_webhook_ip(OPENWA_STR("::ffff:10.0.0.1"), false, &err), OPENWA_ERR_INVALID_ARGUMENT, "private");
  OK(openwa_policy_ip_special_use(OPENWA_STR("169.254.169.254"), &text, &err));
  CHECK(text_is(text, "metadata"));
  openwa_rows *rows;
  OK(openwa_policy_allowed_transitions(OPENWA_STR("created"), &rows, &err));
  CHECK(is(text_of(next_row(rows), "value"), "initializing"));
  openwa_rows_free(rows);
}

const struct test rules_tests[] = {{"addresses_are_told_apart", addresses_are_told_apart},
                                   {"settings_are_checked", settings_are_checked},
                                   {"keys_and_hooks", keys_and_hooks},
                                   {NULL, NULL}};
