#!/usr/bin/env bash
# python-jose 3.5.0 compresses encrypted tokens ("zip": "DEF") in the zlib format, and opens no others.
#
# RFC 7516, 4.1.3 defines DEF as "Compression with the DEFLATE [RFC1951] algorithm", which is the bare stream. python-jose compresses
# and decompresses by zlib.compress and zlib.decompress, which put the header and the checksum of RFC 1950 around it. So jwcrypto 1.6.1
# cannot open its compressed tokens, and it can open neither jwcrypto's nor those of joserfc 1.8.0. joserfc takes both kinds. Without
# zip all three understand each other.
#
# Seen: without zip every reader opens every writer's token; with zip python-jose's is opened by python-jose and joserfc, and the
# others' by jwcrypto and joserfc. python-jose's compressed text begins with 78 9c, the header of zlib.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    "python-jose[cryptography]==3.5.0" cryptography==50.0.2 jwcrypto==1.6.1 joserfc==1.8.0 2>/dev/null
cat > "$folder/look.py" <<'PYTHON'
import base64
import json
import warnings

warnings.simplefilter("ignore")

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc import jwe as joserfc_jwe
from joserfc.jwk import OctKey
from jose import jwe as jose_jwe
from jwcrypto import jwe as crypto_jwe
from jwcrypto.jwk import JWK

KEY = bytes(range(32))
ENCODED = base64.urlsafe_b64encode(KEY).rstrip(b"=").decode()
TEXT = b"what is said is said twice. " * 40
ALGORITHMS = ["dir", "A256GCM", "DEF"]


def header(zipped: bool) -> dict[str, str]:
    return {"alg": "dir", "enc": "A256GCM"} | ({"zip": "DEF"} if zipped else {})


def jose_write(zipped: bool) -> str:
    return jose_jwe.encrypt(TEXT, KEY, algorithm="dir", encryption="A256GCM", zip="DEF" if zipped else None).decode()


def crypto_write(zipped: bool) -> str:
    token = crypto_jwe.JWE(TEXT, json.dumps(header(zipped)), algs=ALGORITHMS)
    token.add_recipient(JWK(kty="oct", k=ENCODED))
    return token.serialize(compact=True)


def joserfc_write(zipped: bool) -> str:
    return joserfc_jwe.encrypt_compact(header(zipped), TEXT, OctKey.import_key(KEY), algorithms=ALGORITHMS)


def jose_read(token: str) -> bytes:
    return jose_jwe.decrypt(token, KEY)


def crypto_read(token: str) -> bytes:
    opened = crypto_jwe.JWE(algs=ALGORITHMS)
    opened.deserialize(token, key=JWK(kty="oct", k=ENCODED))
    return opened.payload


def joserfc_read(token: str) -> bytes:
    return joserfc_jwe.decrypt_compact(token, OctKey.import_key(KEY), algorithms=ALGORITHMS).plaintext


writers = {"python-jose": jose_write, "jwcrypto": crypto_write, "joserfc": joserfc_write}
readers = {"python-jose": jose_read, "jwcrypto": crypto_read, "joserfc": joserfc_read}
for zipped in (False, True):
    for writer, write in writers.items():
        token, opened = write(zipped), []
        for reader, read in readers.items():
            try:
                if read(token) == TEXT:
                    opened.append(reader)
            except Exception:
                pass
        print(f"{'zip' if zipped else 'plain'}, of {writer}: opened by {', '.join(opened)}")
protected, _, nonce, sealed, tag = jose_write(True).split(".")
decode = lambda part: base64.urlsafe_b64decode(part + "==")
compressed = AESGCM(KEY).decrypt(decode(nonce), decode(sealed) + decode(tag), protected.encode())
print("python-jose's compressed text begins with", compressed[:2].hex())
PYTHON
"$folder/venv/bin/python" "$folder/look.py" | tee "$folder/seen"
cat > "$folder/expected" <<'TEXT'
plain, of python-jose: opened by python-jose, jwcrypto, joserfc
plain, of jwcrypto: opened by python-jose, jwcrypto, joserfc
plain, of joserfc: opened by python-jose, jwcrypto, joserfc
zip, of python-jose: opened by python-jose, joserfc
zip, of jwcrypto: opened by jwcrypto, joserfc
zip, of joserfc: opened by jwcrypto, joserfc
python-jose's compressed text begins with 789c
TEXT
diff "$folder/expected" "$folder/seen"
