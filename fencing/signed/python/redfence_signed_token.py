"""Signed fencing tokens of redfence, with Python's standard library alone.

    keys = {"2026-11": secret}                      # at least 32 random bytes each
    text = sign("2026-11", keys["2026-11"], expires_ms, token, resource)
    what = verify(text, keys, now_ms)               # or SignatureError, with a code

As a command:
    redfence_signed_token.py vectors.json           checks the test vectors
    redfence_signed_token.py                        answers one JSON question a line: {"text", "keys", "now_ms"}
"""

import base64
import hashlib
import hmac
import json
import re
import sys
import unicodedata

FORMAT = "redfence1"
NUMBER_MAX = 2**53 - 1
RESOURCE_LEN_MAX = 512
SECRET_LEN_MIN = 32
LEN_MAX = 804
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
NUMBER = re.compile(r"0|[1-9][0-9]{0,15}", re.ASCII)


class SignatureError(Exception):
    """A token did not pass; `code` is malformed, unknown_key, bad_mac or expired."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def sign(key_id, secret, expires_ms, token, resource):
    """The text of a signed token."""
    if len(secret) < SECRET_LEN_MIN or not KEY_ID.fullmatch(key_id):
        raise ValueError("a secret has at least 32 random bytes, and a key id 1 to 32 of A-Z, a-z, 0-9, - and _")
    if not (0 <= expires_ms <= NUMBER_MAX and 1 <= token <= NUMBER_MAX and is_name(resource)):
        raise ValueError("the expiry, the token or the resource is out of bounds")
    unsigned = f"{FORMAT}.{key_id}.{expires_ms}.{token}.{encode(resource.encode())}"
    return f"{unsigned}.{encode(mac_of(unsigned, secret))}"


def verify(text, keys, now_ms):
    """What was signed. Checks form, key, MAC and expiry, in this order."""
    parts = text.split(".")
    if len(text.encode("utf-8", "surrogatepass")) > LEN_MAX or len(parts) != 6 or parts[0] != FORMAT:
        raise SignatureError("malformed")
    key_id, expires_ms, token = parts[1], number(parts[2]), number(parts[3])
    name, mac = decode(parts[4]), decode(parts[5])
    if not KEY_ID.fullmatch(key_id) or token == 0 or len(mac) != 32:
        raise SignatureError("malformed")
    try:
        resource = name.decode("utf-8")
    except UnicodeDecodeError:
        raise SignatureError("malformed") from None
    if not is_name(resource):
        raise SignatureError("malformed")
    if key_id not in keys:
        raise SignatureError("unknown_key")
    if not hmac.compare_digest(mac, mac_of(text.rpartition(".")[0], keys[key_id])):
        raise SignatureError("bad_mac")
    if expires_ms <= now_ms:
        raise SignatureError("expired")
    return {"key_id": key_id, "expires_ms": expires_ms, "token": str(token), "resource": resource}


def mac_of(unsigned, secret):
    return hmac.new(secret, unsigned.encode("ascii"), hashlib.sha256).digest()


def is_name(resource):
    """As redfence::Resource: 1 to 512 bytes of UTF-8 without control characters."""
    return 1 <= len(resource.encode()) <= RESOURCE_LEN_MAX and all(unicodedata.category(c) != "Cc" for c in resource)


def number(text):
    if not NUMBER.fullmatch(text) or int(text) > NUMBER_MAX:
        raise SignatureError("malformed")
    return int(text)


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def decode(text):
    """Refuses every form but the one that `encode` writes; Python's own decoder skips what it does not know."""
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except ValueError:
        raise SignatureError("malformed") from None
    if encode(data) != text:
        raise SignatureError("malformed")
    return data


def answer(question):
    keys = {key_id: bytes.fromhex(secret) for key_id, secret in question["keys"].items()}
    try:
        return {"outcome": "ok", **verify(question["text"], keys, question["now_ms"])}
    except SignatureError as error:
        return {"outcome": error.code}


def check_vectors(path):
    with open(path, encoding="utf-8") as file:
        rows = json.load(file)
    failed = 0
    for row in rows:
        expected = {"outcome": row["outcome"], **row.get("signed", {})}
        is_right = answer(row) == expected
        if is_right and row["outcome"] == "ok":
            what = row["signed"]
            secret = bytes.fromhex(row["keys"][what["key_id"]])
            again = sign(what["key_id"], secret, what["expires_ms"], int(what["token"]), what["resource"])
            is_right = again == row["text"]
        if not is_right:
            failed += 1
            print(f"{row['name']}: {answer(row)}, expected {expected}", file=sys.stderr)
    print(f"{len(rows) - failed} passed, {failed} failed")
    return failed == 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(0 if check_vectors(sys.argv[1]) else 1)
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), flush=True)
