-- New messages in one call, so that a save is one round trip.
-- up
-- Each message is given as one element of every list. They are stored if their session still says what its caller believes
-- (believed_*, one element per session), if their WhatsApp id is free, and if nothing waits for them; the ids of those that
-- are left out are answered. Everybody takes ids in the same order, or two would wait for one another. Whoever keeps a change
-- for a message takes its id first, so that what waits is seen by the statement behind the one that takes ids.
-- process: the server process that the caller means to talk to, if it is to be checked.
-- some_ahead: some claim to have been sent in a later month than that in which they are stored.
CREATE FUNCTION save_new_messages(
  process bigint, some_ahead boolean,
  believed_session uuid[], believed_config jsonb[], believed_retained_from timestamptz[], believed_phone text[],
  ids uuid[], session_ids uuid[], wa_message_ids text[], chat_ids text[], from_numbers text[], to_numbers text[],
  types text[], bodies text[], medias jsonb[], acks bigint[], from_mes boolean[], is_groups boolean[],
  wa_timestamps timestamptz[], created_ats timestamptz[], edited_ats timestamptz[], revoked_ats timestamptz[], raws bytea[]
) RETURNS SETOF uuid
LANGUAGE plpgsql SET search_path FROM CURRENT SET timezone = 'UTC' SET lock_timeout = '60s'
SET plan_cache_mode = 'force_generic_plan' AS $$
DECLARE
  taken   uuid[];
  awaited uuid[];
BEGIN
  IF process <> pg_backend_pid() THEN
    RAISE invalid_sql_statement_name USING MESSAGE = 'another process of the server answers';
  END IF;

  WITH said AS (
    SELECT s.id FROM sessions AS s
      JOIN unnest(believed_session, believed_config, believed_retained_from, believed_phone)
           AS b(id, config, retained_from, phone) ON b.id = s.id
     WHERE s.config = b.config AND s.retained_from IS NOT DISTINCT FROM b.retained_from
       AND s.phone IS NOT DISTINCT FROM b.phone
       FOR KEY SHARE OF s),
  took AS (
    INSERT INTO message_ids (session_id, wa_message_id, message_id, created_at)
    SELECT t.session_id, t.wa_message_id, t.id, t.created_at
      FROM unnest(session_ids, wa_message_ids, ids, created_ats) AS t(session_id, wa_message_id, id, created_at)
     WHERE t.session_id IN (SELECT id FROM said)
     ORDER BY t.session_id, t.wa_message_id COLLATE "C" ON CONFLICT DO NOTHING RETURNING message_id)
  SELECT array_agg(message_id) INTO taken FROM took;
  IF taken IS NULL THEN RETURN QUERY SELECT unnest(ids); RETURN; END IF;

  SELECT array_agg(t.id) INTO awaited
    FROM unnest(session_ids, wa_message_ids, ids) AS t(session_id, wa_message_id, id)
    JOIN pending_changes AS p ON p.session_id = t.session_id AND p.wa_message_id = t.wa_message_id
   WHERE t.id = ANY (taken);
  IF awaited IS NOT NULL THEN
    DELETE FROM message_ids AS i USING unnest(session_ids, wa_message_ids, ids) AS t(session_id, wa_message_id, id)
     WHERE i.session_id = t.session_id AND i.wa_message_id = t.wa_message_id AND t.id = ANY (awaited);
    taken := ARRAY(SELECT unnest(taken) EXCEPT SELECT unnest(awaited));
  END IF;

  IF some_ahead THEN
    INSERT INTO messages_ahead (session_id, month)
    SELECT DISTINCT t.session_id, date_trunc('month', t.created_at)
      FROM unnest(session_ids, wa_timestamps, created_ats) AS t(session_id, wa_timestamp, created_at)
     WHERE t.wa_timestamp > t.created_at AND date_trunc('month', t.wa_timestamp) > date_trunc('month', t.created_at)
        ON CONFLICT DO NOTHING;
  END IF;

  INSERT INTO messages (id, session_id, wa_message_id, chat_id, from_number, to_number, type, body, media, ack, from_me,
                        is_group, wa_timestamp, created_at, edited_at, revoked_at, raw)
  SELECT * FROM unnest(ids, session_ids, wa_message_ids, chat_ids, from_numbers, to_numbers, types, bodies, medias, acks,
                       from_mes, is_groups, wa_timestamps, created_ats, edited_ats, revoked_ats, raws) AS t(id)
   WHERE t.id = ANY (taken);
  IF cardinality(taken) < cardinality(ids) THEN
    RETURN QUERY SELECT unnest(ids) EXCEPT SELECT unnest(taken);
  END IF;
END $$;
-- down
DROP FUNCTION save_new_messages;
