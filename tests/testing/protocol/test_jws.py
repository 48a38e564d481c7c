"""Signed tokens are parsed strictly, and verified as the vectors of the RFCs and of others demand."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from camunda_entra_fastapi.testing.protocol.jws import Jws, parse_jws
from camunda_entra_fastapi.testing.protocol.keys import SigningKey, base64url

# RFC 7515, A.2
A2_MODULUS = (
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yR"
    "T-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXB"
    "dQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9ia"
    "GNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
)
A2_EXPONENT = (
    "Eq5xpGnNCivDflJsRQBXHx1hdR1k6Ulwe2JZD50LpXyWPEAeP88vLNO97IjlA7_GQ5sLKMgvfTeXZx9SE-7YwVol2NXOoAJe46su"
    "i395IW_GO-pWJ1O0BkTGoVEn2bKVRUCgu-GjBVaYLU6f3l9kJfFNS3E0QbVdxzubSu3Mkqzjkn439X0M_V51gfpRLI9JYanrC4D4"
    "qAdGcopV_0ZHHzQlBjudU2QvXt4ehNYTCBr6XCLQUShb1juUO1ZdiYoFaFQT5Tw8bGUl_x_jTj3ccPDVZFD9pIuhLhBOneufuBiB"
    "4cS98l2SR_RQyGWSeWjnczT0QU91p1DhOVRuOopznQ"
)
A2_PRIMES = (
    "4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH_5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l58BQ3KhooKeQTa9AB0Hw_Py5PJdTJNPY8"
    "cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn-nXqhJTBgIPgtldC-KDV5z-y2XDwGUc",
    "uQPEfgmVtjL0Uyyx88GZFF1fOunH3-7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD_YwD66t"
    "62wDmpe_HlB-TnBA-njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdc",
)
A2_TOKEN = (
    "eyJhbGciOiJSUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9"
    "uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB"
    "_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rq"
    "Vt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"
)

# RFC 7520, 3.3 and 4.1
HOBBITON_MODULUS = (
    "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRB"
    "SFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD"
    "1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_"
    "qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"
)
HOBBITON_TOKEN = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9."
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUg"
    "cm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0"
    "IGJlIHN3ZXB0IG9mZiB0by4."
    "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi8"
    "4wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocS"
    "adnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJu"
    "shZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg"
)

# Wycheproof, json_web_signature_test.json: group ps256, tests 274 and 287, then 281, 286, 316 and 317
PS256_MODULUS = (
    "orRRoH0KpfluRVZxUTVQUUqKW0YuvvcXCU-h_ugiJOY3-XRtP3yv0xh42AMltu9aFwD2WQO0aUKeidbqyIRQl7WrOTGJ25JRLtin"
    "cRoSU_rNIPecFegkfz0-QuRuSMmOJUov6XZTE6A-_48X4aApOXofomqNzib0kO2BKZYV2YFMItphBCjgnH2WWFlCZvXAIdD87KCN"
    "lFoSvoLeTR7Oa0wDFFtdNJXU7VQR64eNrwX9evw-Ca2g8RJkIvWQl1oZaYFvSGmLy7obTZyuedRg2Pn4Xnl1AF2bwixOWsD3waRd"
    "ElaaYoB9O5oC5aUw53MGb0U9H1tMLpz3ggKD90K51Q"
)
PS256_TOKENS = [
    (
        "eyJhbGciOiJQUzI1NiIsImtpZCI6IlBTMjU2XzIwNDgifQ."
        "YQ."
        "ZgVavy_Pn25fIkdd8Nixh6YFJtTYk_THG0IKM7xUwLqiME80Z-f9pgdSf6-MKDV58Keo_oLYii9gXgSCcx-IUA1ezDFdaU3e90n1"
        "h9v5HCCwz3t_LnVRCCa4PkXArQTOCDD7gmDFhfzXOXWJOUPCCAj6lTdMn9UvPhCh3OB_ExMbW72-toklAYiDknpQTG_1-k7R3x91"
        "N5ToD6bGRonBB6Y3z-kZCgyQ3ORHBiWI1VYHxqKscorI-uI-wouKa-crqkvOoCTuAjvpu7Z8ZAgMPlLW5KRc8KC8VKcUW--7VJCU"
        "ezGxLQSj011ith3wIuW1eE64xW9yq7kyB4XAiFiA7A"
    ),
    (
        "eyJhbGciOiJQUzI1NiIsImtpZCI6IlBTMjU2XzIwNDgifQ."
        "MTIzNDAw."
        "dUcf9WkbpF69lhxu33p6pwelP-Cczi4sGO9r5sUgozEMT-_WJY5F5MFDMgwoUVf-se16NdYugg4pZP6YTtc-GQOWe_owLcOitHV-"
        "c2EpU1D7p2TaQA9Wj6yRy9m0Tvcd8wx2I2b--9LE09_1mfaoE-WVcfdeHIEfkXGMFgeSh_jC2mRNbveIiN5RGEsEjTZ4PLrQHV6A"
        "6b_FA9-KX1cC-cOyRezpCAVrvlUjLMKfzVcwNy0CB2LZmVIXUKX-UjY3Lq3zpibRaCh5sbFZbltSjwBdwnp_BKgzj_QPbOtqKxak"
        "JjBu7PCihlOkZID2e0nJfjUwcFQ3uc_k0OVdYE1Adg"
    ),
]
PS256_FORGERIES = {
    "another length of the salt": (
        "eyJhbGciOiJQUzI1NiIsImtpZCI6IlBTMjU2XzIwNDgifQ."
        "MTIzNDAw."
        "WBT0rwGn8qkOaoRZX32NCBC5pUzevzuX8qSTF2Eqvst7zKwxO1gN_HGbS13EbOk5ZU841G-ihVvE5ksWcVmVsTGZYELVw1j0XAIH"
        "lotUukQROn2ycW5AvFBBO5VYSlhYp0SJoepDJSQqx8F7UZKGaOACmUml7BCLAN9koWO1ck7LtYHepTO1i_nLlNt27zIIs7blHcPm"
        "fCHD_5IPBH1dFErBbeVSAD9gJqZf4nn59tZHpZ_rpXMHV2-jV0daijCynBOsdWLftF5ieY6cLW41dd2jmHE9upLxP8KYy-aX7juQ"
        "3cfE8Y5hcdqCmKXBHfoeRhDS4i02zvAUnoyLXUaDOg"
    ),
    "a longer salt": (
        "eyJhbGciOiJQUzI1NiIsImtpZCI6IlBTMjU2XzIwNDgifQ."
        "MTIzNDAw."
        "Fl_gvzkVQze7J24fHODPv4mXKaNkCm_0RlHM6yQbDXHenTwglksuCH29RmbtskOxUuOXDgRSNnqI4nJXFLcd78c8_3UZBZFy7TNr"
        "TxLIHQCWYVaTKcr5DbN_q-HtBLp7Fg-WWQp0RrRHng4_QznsyJx2ljvic3Rxv5Bq16miwawiXvyXJhIw0zxy7euvWZCoYP_NOAkG"
        "cNDHUMVtCdaUUj9aOauraYNrfx20V4_uMEYCwZU3BLDyqaO8Lq1C5E8k3DEGRS2MPuvJkbFr38S8rgFkLHHtZcABsF_4rgdMFivb"
        "JOtylKam0CQHSU7KaD8S0uuYLbQC6o9dVDK7TLYnbw"
    ),
    "a signature not reduced": (
        "eyJhbGciOiJQUzI1NiIsImtpZCI6IlBTMjU2XzIwNDgifQ."
        "MTIzNDAw."
        "Q85VYt4LAcsBcXjZHXmZ3pTphem86W1jE3ztPlNZb-nphQ77wvg861MGbrlnc39c5IZppSY6GTFgD8mEsFrkmQwYBslhLkSH3ZAg"
        "3hK2NFF81VENI4-ctkNIPCdr2VfCMYcHxmf178EOIZi8EGH5Fv02kYZIKJXUvOouX05W2fSzgLFbuUtwkcQqI0k2taxZvH8vdj4h"
        "1JdRsI9mEuNkCTbrGdaW_FF-FVrqS5s1pj_ju9xNQpIxRcdDpulUetmpXccfGj-KAzoCqF2b-GsIn027aPOQ_spsDuuB8YjNaAjK"
        "LdyhYSl_jCWDJHRnh7yPJbO4mEPJhpfE5IgdRFtLuQA"
    ),
    "zeros before": (
        "eyJhbGciOiJQUzI1NiIsImtpZCI6IlBTMjU2XzIwNDgifQ."
        "MTIzNDAw."
        "AABvq5ZqRJkRucjDDjHZhpzsDDwerY5bE4mh9CrHO0yillfExoaunB3q5GVIGdXAQZcAA6RKsWWbymq2h3lUGzo63yEa3hlZ8kAq"
        "a4k96p2Lo-WqhoJ9fZmT7HR01i80TVYWT--894mgtAvHfCz1qAUwpXhGKXE5s3jn1uQWMc3lKfpC742Sg5D4KeK0QTcKmC5-prxD"
        "pzUqBe2tNgb0opDJcdNowmSLc-sWGuAVFPvHaMbv25KQTKH1pjBvppwuWtgXhwZD1iDe81o6u7n5GIV2OpHVRoyjqZCFKX_05tHa"
        "u6RExXRgS7F3vfFeAUfm7nuhDUlH-_tKxmizEp_5qsbO"
    ),
}

# Wycheproof, the same file: group rs256, tests 33, 46 and 69
RS256_MODULUS = (
    "kqGboBfAWttWPCA-0cGRgsY6SaYoIARt0B_PkaEcIq9HPYNdu9n6UuWHuuTHrjF_ZoQW97r5HaAorNvrMEGTGdxCHZdEtkHvNVVm"
    "rtxTBLiQCbCozXhFoIrVcr3qUBrdGnNn_M3jJi7Wg7p_-x62nS5gNG875oyheRkutHsQXikFZwsN3q_TsPNOVlCiHy8mxzaFTUQG"
    "m-X8UYexFyAivlDSjgDJLAZSWfxd7k9Gxuwa3AUfQqQcVcegmgKGCaErQ3qQbh1x7WB6iopE3_-GZ8HMAVtR9AmrVscqYsnjhaCe"
    "hfAI0iKKs8zXr8tISc0ORbaalrkk03H1ZrsEnDKEWQ"
)
RS256_TOKEN = (
    "eyJhbGciOiJSUzI1NiIsImtpZCI6ImtpZC1yc2Etc2lnbiJ9."
    "Zm9v."
    "HUwxI1-cZrZgcuOgBQ7G7NE-GrqK79l6GV1KT4DKXnSMFwC8pfZCzE7pmLE7mYpLCIvzC87yuOjuhT0uW5oe6aaAEtR978cm-q8d"
    "fly45flqMrd_ifhi9GCsMlyi8dpQ42Ou1etZljFZuWjfyk8CN1c5DaHRwhqjScAPIFp6xmzKIRUJ_xdQfUSfSlujLaixtScU518E"
    "oNP4oo1v7E8RAz6ZO4g2N4Xqs8OvSxYydcoTEg42QnLHe9JnXgI37Q5gSwinwaPsG3Ry56UYiLoL8mCUa74S51y02VsIgVmmGWga"
    "XjM-i_lCiKQDBiBnvWlka4XhVuvd6ZWibM9cbCPtPg"
)
RS256_FORGERIES = {
    "a length in long form": (
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImtpZC1yc2Etc2lnbiJ9."
        "Zm9v."
        "KudI1-Bo-NhWAmNYu-aEGQA3ciNp-gKgGJETRino-l25uRh9peU1GWjmFfnda0SSZK8msCFMQ-ibIZxkwC1CUjxBRNwG1LqVtBa2"
        "mHtedT3lxKaS0nAQAzhsg0XWAEUjgnH1qtsYXknGzh-Vi_uVsu2yfPy6YhH9_8Ian984VRMzitHDzeNVcm1jc4vcB6iFicSl4cXW"
        "SijLxJSlVkDqMi8Neb3Zw-NQI3mQIt_3Eq51MncS-1vLBr0_qdAFREXVduyb-gRzgGSrE2pMxEO4Bbp5fvYnjaKsSdtNVvzayKwB"
        "DO418mfGzRbQyzpR2EeAFGIAkVRb_Mfh7Uil8nhBeg"
    ),
    "a truncated length": (
        "eyJhbGciOiJSUzI1NiIsImtpZCI6ImtpZC1yc2Etc2lnbiJ9."
        "Zm9v."
        "bbOndRBDTwqBJ_F-gvpwnLJuCuq1fRedMH5pDpkgewt2A-cntEKBR8G60JFVD_DK1aCLDiEmBzxIgZS4XzAW5NUW7CaKpnKz6bls"
        "0S6SJf5d2CzD_qtqeuWMuWwZPm5gWIdNdcK1z8aqViPXyHGxf9D-R6PSMCSvFNarmHrUcesdzx5zvrUeX3jhlGaHEwX6D8ZL4NkK"
        "xpa5zLST8cOgKI0Bw9YfqnOt9s_S585S2kh4f3-cqan8IxsZ1A2B1uSMCKg0A8cvjJkLFLxY49W774IcYApSzPbLU2tuVbgVoejH"
        "M7d7Y6IKC-GyAdB78njhsUg2TFSUINCioeb6w606HQ"
    ),
}


@pytest.fixture(scope="module")
def key() -> SigningKey:
    """One key for all tests, as making one takes its time."""
    return SigningKey.generate()


def decoded(text: str) -> bytes:
    """The bytes of a base64url text."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def number(text: str) -> int:
    """The number of a key's member."""
    return int.from_bytes(decoded(text), "big")


def public(modulus: str) -> rsa.RSAPublicKey:
    """The key of a modulus, with the exponent that all keys here have."""
    return rsa.RSAPublicNumbers(65537, number(modulus)).public_key()


def parsed(token: str) -> Jws:
    """A token whose payload is prose, as those of most vectors are."""
    header, payload, signature = token.split(".")
    return Jws(json.loads(decoded(header)), {}, f"{header}.{payload}".encode(), decoded(signature))


def compact(header: Any, claims: Any, signature: bytes = b"none") -> str:
    """A token of these parts; text and bytes stay what they are."""
    parts = (
        part if isinstance(part, bytes) else (part if isinstance(part, str) else json.dumps(part)).encode()
        for part in (header, claims, signature)
    )
    return ".".join(base64url(part) for part in parts)


def flipped(octets: bytes, at: int) -> bytes:
    """The same with one bit changed."""
    changed = bytearray(octets)
    changed[at] ^= 1
    return bytes(changed)


def test_rfc_7515_example_is_read_and_verified() -> None:
    """Appendix A.2: header, claims and an RS256 signature."""
    token = parse_jws(A2_TOKEN)
    assert token.header == {"alg": "RS256"}
    assert token.claims == {"iss": "joe", "exp": 1300819380, "http://example.com/is_root": True}
    assert token.is_signed_by(public(A2_MODULUS)) is True


def test_rfc_7515_example_is_made() -> None:
    """Signing with the private key of appendix A.2 makes its signature, octet by octet."""
    p, q = (number(prime) for prime in A2_PRIMES)
    d = number(A2_EXPONENT)
    private = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa.rsa_crt_dmp1(d, p),
        dmq1=rsa.rsa_crt_dmq1(d, q),
        iqmp=rsa.rsa_crt_iqmp(p, q),
        public_numbers=rsa.RSAPublicNumbers(65537, number(A2_MODULUS)),
    ).private_key()
    signed, _, signature = A2_TOKEN.rpartition(".")
    assert SigningKey(private, certificate=b"").signature(signed.encode()) == signature


@pytest.mark.parametrize("part", ["signing_input", "signature"])
@pytest.mark.parametrize("at", [0, 21, 100, -1])
def test_one_changed_bit_is_a_wrong_signature(part: str, at: int) -> None:
    """Wherever it is, in what is signed or in the signature."""
    token = parse_jws(A2_TOKEN)
    parts = {"signing_input": token.signing_input, "signature": token.signature}
    parts[part] = flipped(parts[part], at)
    assert Jws(token.header, token.claims, **parts).is_signed_by(public(A2_MODULUS)) is False


def test_rfc_7520_example_is_verified() -> None:
    """Section 4.1; its payload is prose, so that only the signature is checked."""
    token = parsed(HOBBITON_TOKEN)
    assert token.header["kid"] == "bilbo.baggins@hobbiton.example"
    assert token.is_signed_by(public(HOBBITON_MODULUS)) is True
    assert token.is_signed_by(public(A2_MODULUS)) is False
    with pytest.raises(ValueError, match="claims is not JSON"):
        parse_jws(HOBBITON_TOKEN)


@pytest.mark.parametrize("token", PS256_TOKENS)
def test_published_ps256_signatures_are_verified(token: str) -> None:
    """The salt is random, or all zeros."""
    assert parsed(token).header["alg"] == "PS256"
    assert parsed(token).is_signed_by(public(PS256_MODULUS)) is True


@pytest.mark.parametrize("forgery", PS256_FORGERIES)
def test_published_ps256_forgeries_are_refused(forgery: str) -> None:
    """A salt that is not as long as the digest (RFC 7518, 3.5), and signatures written otherwise."""
    assert parsed(PS256_FORGERIES[forgery]).is_signed_by(public(PS256_MODULUS)) is False


def test_published_rs256_signature_is_verified() -> None:
    """The vector beside which the forgeries stand."""
    assert parsed(RS256_TOKEN).is_signed_by(public(RS256_MODULUS)) is True


@pytest.mark.parametrize("forgery", RS256_FORGERIES)
def test_published_rs256_forgeries_are_refused(forgery: str) -> None:
    """Paddings of other encodings (RFC 8017, 8.2.2 demands the one)."""
    assert parsed(RS256_FORGERIES[forgery]).is_signed_by(public(RS256_MODULUS)) is False


def test_what_is_signed_with_ps256_is_verified(key: SigningKey) -> None:
    """A round trip, and not with the other padding's name in the header."""
    salted = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256.digest_size)
    token = parse_jws(compact({"alg": "PS256"}, {"sub": "x"}))
    signature = key.private.sign(token.signing_input, salted, hashes.SHA256())
    made = Jws(token.header, token.claims, token.signing_input, signature)
    assert made.is_signed_by(key.private.public_key()) is True
    renamed = Jws({"alg": "RS256"}, token.claims, token.signing_input, signature)
    assert renamed.is_signed_by(key.private.public_key()) is False


@pytest.mark.parametrize("algorithm", ["none", "HS256", "RS512", "rs256", "", None, 5, ["RS256"], {}])
def test_no_other_algorithm_is_ever_right(algorithm: Any, key: SigningKey) -> None:
    """Whatever the header names, even over a signature that RS256 would accept."""
    token = parse_jws(key.sign({"alg": algorithm}, {"sub": "x"}))
    assert token.is_signed_by(key.private.public_key()) is False


def test_critical_extensions_are_not_understood(key: SigningKey) -> None:
    """RFC 7515, 4.1.11: who does not know them must refuse the token."""
    token = parse_jws(key.sign({"alg": "RS256", "crit": ["b64"], "b64": False}, {"sub": "x"}))
    assert token.is_signed_by(key.private.public_key()) is False


@pytest.mark.parametrize(
    ("token", "complaint"),
    [
        ("", "three parts"),
        ("e30.e30", "three parts"),
        ("e30.e30.e30.e30", "three parts"),
        ("e30.e30.e30.e30.e30", "three parts"),
        ("e30.e3.AA", "claims is not base64url"),
        ("e30=.e30.AA", "header is not base64url"),
        ("e30.e30.AA==", "signature is not base64url"),
        ("e30.e30.AB", "signature is not base64url without padding"),
        ("e30.e30.a+/A", "signature is not base64url"),
        ("e30.e30.A A", "signature is not base64url"),
        ("e30.e30.\u00e4AAA", "signature is not base64url"),
        ("e30.e30.A", "signature is not base64url"),
        (".e30.AA", "header is not JSON"),
        (compact("{", {}), "header is not JSON"),
        (compact([], {}), "header is not a JSON object"),
        (compact({}, "null"), "claims is not a JSON object"),
        (compact({}, b'{"a": "\xff"}'), "claims is not JSON in UTF-8"),
        (compact({}, '{"a": 1, "a": 1}'), "every member once"),
        (
            compact('{"alg": "none", "alg": "RS256"}', {}),
            "header is not JSON in UTF-8 with every member once",
        ),
        (compact({}, '{"a": {"b": 1, "b": 2}}'), "every member once"),
        (compact({}, '{"exp": NaN}'), "claims is not JSON"),
        (compact({}, '{"exp": -Infinity}'), "claims is not JSON"),
        (compact({}, '{"exp": 1e999}'), "claims is not JSON"),
        (compact({}, '{"exp": ' + "9" * 5000 + "}"), "claims is not JSON"),
        (compact({}, "[" * 20_000), "claims is not JSON"),
        (compact({}, {"a": "x" * 64 * 1024}), "longer than 65536 characters"),
    ],
    ids=range(26),
)
def test_what_is_not_a_token_is_refused(token: str, complaint: str) -> None:
    """Three parts of canonical base64url, of which two are JSON objects; nothing else is read."""
    with pytest.raises(ValueError, match=complaint):
        parse_jws(token)


def test_the_largest_token_is_read() -> None:
    """64 KiB are enough, one character more is too much."""
    token = compact({}, {"a": "x" * 49_001}, b"")
    token += "A" * (64 * 1024 - len(token))
    assert parse_jws(token).claims["a"][:2] == "xx"
    with pytest.raises(ValueError, match="longer"):
        parse_jws(token + "A")


def test_fractions_and_line_breaks_are_read() -> None:
    """Microsoft's clients send times that are no integers, and certificates in several lines."""
    token = parse_jws(compact({"alg": "PS256", "x5c": ["MII\nAA"]}, {"exp": 1795000600.25}))
    assert token.header["x5c"] == ["MII\nAA"]
    assert token.claims["exp"] == 1795000600.25


def test_what_a_token_says_is_not_shown() -> None:
    """Neither by ``repr``, which ends up in logs, nor by a complaint."""
    assert "joe" not in repr(parse_jws(A2_TOKEN))
    assert "cC4hiU" not in repr(parse_jws(A2_TOKEN))
    with pytest.raises(ValueError, match=r"^The token's claims is not JSON") as caught:
        parse_jws(compact({}, "a secret"))
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ is True


def test_padding_is_taken_only_where_it_is_expected() -> None:
    """Its signature is over what was received, padding included."""
    token = SigningKey.generate().sign({"alg": "RS256"}, {"a": 1})
    header, claims, signature = token.split(".")
    padded = ".".join(part + "=" * (-len(part) % 4) for part in (header, claims, signature))
    assert padded != token
    with pytest.raises(ValueError, match="without padding"):
        parse_jws(padded)
    jws = parse_jws(padded, padded=True)
    assert (jws.claims, jws.signing_input) == ({"a": 1}, padded.rpartition(".")[0].encode())
