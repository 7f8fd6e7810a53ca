"""The quickstart of examples/c through nothing but Python's ctypes: any language with a C interface can do this.

    python3 quickstart_ctypes.py [path of libopenwa]
"""

import ctypes
import sys
from ctypes import byref, c_char_p, c_int32, c_size_t, c_void_p


class Str(ctypes.Structure):
    """openwa_str: a pointer and a length."""

    _fields_ = [("ptr", c_char_p), ("len", c_size_t)]


class OutStr(ctypes.Structure):
    """The same on its way out: the text need not end with a NUL, so the pointer stays a pointer."""

    _fields_ = [("ptr", c_void_p), ("len", c_size_t)]

    def __str__(self):
        return ctypes.string_at(self.ptr, self.len).decode() if self.ptr else ""


def text(value):
    data = value.encode()
    return Str(data, len(data))


NONE = Str(None, 0)

lib = ctypes.CDLL(sys.argv[1] if len(sys.argv) > 1 else "libopenwa.so.1")
lib.openwa_error_message.restype = c_char_p
lib.openwa_error_message.argtypes = [c_void_p]
for free in ("openwa_error_free", "openwa_record_free", "openwa_rows_free", "openwa_store_free"):
    getattr(lib, free).argtypes = [c_void_p]
    getattr(lib, free).restype = None


def call(name, *args):
    """Calls a function that returns a code; an error becomes an exception."""
    error = c_void_p()
    function = getattr(lib, name)
    function.restype = c_int32
    code = function(*args, byref(error))
    if code != 0:
        message = lib.openwa_error_message(error).decode()
        lib.openwa_error_free(error)
        raise RuntimeError(f"{name}: error {code}: {message}")


def column(record, name):
    out = OutStr()
    call("openwa_record_text", record, c_char_p(name.encode()), byref(out))
    return str(out)


def record(kind, json):
    out = c_void_p()
    call("openwa_record_from_json", c_char_p(kind.encode()), text(json), byref(out))
    return out


store, session, saved, page, row, key = (c_void_p() for _ in range(6))
call("openwa_store_open", text('{"dir": "./data"}'), byref(store))

call("openwa_sessions_find", store, text("shop-1"), byref(session))
if not session:
    new = record("NewSession", '{"name": "shop-1"}')
    call("openwa_sessions_create", store, new, byref(session))
    lib.openwa_record_free(new)
session_id = text(column(session, "id"))

new = record(
    "NewMessage",
    """{"wa_message_id": "3EB0C431C26A1916E07A", "chat_id": "12025550143@s.whatsapp.net",
        "from_number": "12025550143@s.whatsapp.net", "type": "text", "body": "hello"}""",
)
call("openwa_messages_save", store, session_id, new, byref(saved))
print(column(saved, "outcome"))
lib.openwa_record_free(saved)
lib.openwa_record_free(new)

call("openwa_messages_list", store, session_id, None, None, byref(page))
while True:
    call("openwa_rows_next", page, byref(row))
    if not row:
        break
    print(column(row, "body"))
lib.openwa_rows_free(page)

new = record("NewApiKey", '{"name": "ci", "permissions": ["messages:read"]}')
call("openwa_api_keys_create", store, new, byref(key))
decided = ctypes.c_char_p()
call(
    "openwa_api_keys_decide",
    store,
    text(column(key, "key")),
    text("messages:send"),
    NONE,
    NONE,
    NONE,
    byref(decided),
)
print(decided.value.decode())
lib.openwa_record_free(key)
lib.openwa_record_free(new)

lib.openwa_record_free(session)
call("openwa_store_close", store)
lib.openwa_store_free(store)
