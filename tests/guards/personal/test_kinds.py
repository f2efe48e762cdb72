"""What is personal data by its shape: valid values are found at their exact place, near misses are not."""

import pytest

from airside.config.personal import PersonalSettings
from airside.guards.finding import Place
from airside.guards.normalise.readings import Readings
from airside.guards.personal.detector import detector

PERSONAL = detector(PersonalSettings())


def found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in PERSONAL.find(Readings(text), Place.USER)]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("mail jane.doe+x@example.co.uk now", "jane.doe+x@example.co.uk"),
        ("<jane@example.com>", "jane@example.com"),
        ('{"email":"jane@example.com"}', "jane@example.com"),
        ("https://a.example/?mail=jane@example.com&x=1", "jane@example.com"),
        ("O'Brien: o'brien@example.ie.", "o'brien@example.ie"),
        ("'jane@example.com'", "jane@example.com"),
        ("an josé@españa.es schreiben", "josé@españa.es"),
        ("邮箱jane@example.com请回复", "jane@example.com"),
        ("пишите на почта@пример.рф сегодня", "почта@пример.рф"),
        ("jane@xn--e1afmkfd.xn--p1ai", "jane@xn--e1afmkfd.xn--p1ai"),
        ("jane@example.com.", "jane@example.com"),
        ("jane@example.org.Danke", "jane@example.org"),
        ('"jane"@example.com', '"jane"@example.com'),
        ("用户@例子.公司", "用户@例子.公司"),
        ("jane@sub-domain.example.museum", "jane@sub-domain.example.museum"),
    ],
)
def test_email_addresses_are_found_as_they_stand(text: str, address: str) -> None:
    assert found(text) == [("EMAIL", address)]


@pytest.mark.parametrize(
    "text",
    [
        *("jane@example", "icon@2x.png", "pkg@1.2.3", "@decorator.name", "jane@@example.com", "a..b@.example.com"),
        *("git@github.com:org/repo.git", "https://me:word@host.example.com/", "jane@-example.com", "x@y.notatld"),
        *("@jane", "jane@", "user@localhost", f"{'a' * 65}@example.com", "jane@exa mple.com"),
    ],
)
def test_what_is_no_address_is_left(text: str) -> None:
    assert found(text) == []


VALID = [
    ("CARD", "4111 1111 1111 1111"),
    ("CARD", "4111-1111-1111-1111"),
    ("CARD", "4111111111111111"),
    ("CARD", "5555555555554444"),
    ("CARD", "2223 0031 2200 3222"),
    ("CARD", "3782 822463 10005"),
    ("CARD", "371449635398431"),
    ("CARD", "3056 930902 5904"),
    ("CARD", "6011 1111 1111 1117"),
    ("CARD", "3530 1113 3330 0000"),
    ("CARD", "6200 0000 0000 0005"),
    ("IBAN", "DE89 3704 0044 0532 0130 00"),
    ("IBAN", "GB82WEST12345698765432"),
    ("IBAN", "gb82 west 1234 5698 7654 32"),
    ("IBAN", "FR14 2004 1010 0505 0001 3M02 606"),
    ("IBAN", "NO93 8601 1117 947"),
    ("IBAN", "MT84 MALT 0110 0001 2345 MTLC AST0 01S"),
    ("NATIONAL_ID", "123-45-6789"),
    ("NATIONAL_ID", "AB123456C"),
    ("NATIONAL_ID", "AB 12 34 56 C"),
    ("NATIONAL_ID", "2 95 10 99 126 111 93"),
    ("NATIONAL_ID", "12345678Z"),
    ("NATIONAL_ID", "X2482300W"),
    ("NATIONAL_ID", "RCCMNL83S18D969H"),
    ("NATIONAL_ID", "756.9217.0769.85"),
    ("NATIONAL_ID", "131052-308T"),
    ("NATIONAL_ID", "390.533.447-05"),
    ("NATIONAL_ID", "11010519491231002X"),
    ("NATIONAL_ID", "ABCPE1234F"),
    ("NATIONAL_ID", "880320-0016"),
    ("NATIONAL_ID", "971013-9019902"),
    ("NATIONAL_ID", "2341 2341 2346"),
    ("NATIONAL_ID", "42201-0397640-8"),
    ("NATIONAL_ID", "770305-02-1234"),
    ("NATIONAL_ID", "BOXW310820HNERXN09"),
    ("TAX_ID", "16.727.230/0001-97"),
    ("IP", "84.200.69.80"),
    ("IP", "2001:db8:85a3::8a2e:370:7334"),
    ("MAC", "00:1A:2B:3C:4D:5E"),
    ("MAC", "00-1a-2b-3c-4d-5e"),
    ("WALLET", "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"),
    ("WALLET", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"),
    ("WALLET", "0xde0B295669a9FD93d5F28D9Ec85E40f4cb697BAe"),
    ("VEHICLE", "1HGCM82633A004352"),
]
FRAMES = ["{}", "see {} here", '{{"value": "{}"}}', "a;{};b", "({})", "値は{}です", "| {} |", "k={}&x=y", "Ist {}?"]


@pytest.mark.parametrize(("kind", "value"), VALID)
@pytest.mark.parametrize("frame", FRAMES)
def test_values_with_a_checksum_or_a_form_of_their_own_need_no_word(kind: str, value: str, frame: str) -> None:
    assert found(frame.format(value)) == [(kind, value)]


@pytest.mark.parametrize(
    "text",
    [
        *("4111 1111 1111 1112", "4111111111111112", "0000 0000 0000 0000", "1234 5678 9012 3456", "9999999999999999"),
        *("DE89 3704 0044 0532 0130 01", "DE89 3704 0044 0532", "XX89370400440532013000", "GB82WEST1234569876543"),
        *("000-12-3456", "666-12-3456", "123-00-4567", "123-45-0000", "GB123456A", "DF123456A"),
        *("2 95 10 99 126 111 94", "12345678A", "RCCMNL83S18D969X", "756.9217.0769.86", "131052-308U"),
        *("390.533.447-06", "110105194912310021", "880320-0018", "2341 2341 2347", "1HGCM82633A004353"),
        *(
            "1.2.3.4.5",
            "version 1.2.3.4",
            "v10.20.30.40",
            "127.0.0.1",
            "0.0.0.0",
            "256.1.1.1",
            "12:30:45",
            "std::vector",
        ),
        *("00:00:00:00:00:00", "1BoatSLRHtKNngkdXEeobR76b53LETtpyU", "550e8400-e29b-41d4-a716-446655440000"),
        *("d41d8cd98f00b204e9800998ecf8427e", "2024-05-01T10:00:00Z", "1700000000000", "order 1234567890123"),
    ],
)
def test_near_misses_are_left(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("PESEL: 44051401359", "NATIONAL_ID", "44051401359"),
        ("mein Konto, Steuer-ID 36 574 261 809", "NATIONAL_ID", "36 574 261 809"),
        ("South African ID 7503305044089", "NATIONAL_ID", "7503305044089"),
        ("BSN 111222333", "NATIONAL_ID", "111222333"),
        ("NHS number 943 476 5919", "NATIONAL_ID", "943 476 5919"),
        ("my SIN is 123 456 782", "NATIONAL_ID", "123 456 782"),
        ("TFN: 123 456 782", "TAX_ID", "123 456 782"),
        ("NIF 501442600", "TAX_ID", "501442600"),
        ("マイナンバーは123456789018です", "NATIONAL_ID", "123456789018"),
        ("123456782 is my social insurance number", "NATIONAL_ID", "123456782"),
        ("SSN 123456789", "NATIONAL_ID", "123456789"),
        ('"passport_number": "C01X00T47"', "PASSPORT", "C01X00T47"),
        ("Passport No. 533380006", "PASSPORT", "533380006"),
        ("driver's license D123-4567-8901", "DRIVER_LICENCE", "D123-4567-8901"),
        ("Führerschein: B072RRE2I55", "DRIVER_LICENCE", "B072RRE2I55"),
        ("MRN: 00837261", "MEDICAL_RECORD", "00837261"),
        ("Patientennummer 4711-0815", "MEDICAL_RECORD", "4711-0815"),
        ("account number 12345678", "BANK_ACCOUNT", "12345678"),
        ("chassis number WVWZZZ1JZ3W386752", "VEHICLE", "WVWZZZ1JZ3W386752"),
    ],
)
def test_a_word_says_what_a_number_is(text: str, kind: str, value: str) -> None:
    assert found(text) == [(kind, value)]
    assert found(f"order {value} shipped") in ([], [("NATIONAL_ID", value)])


def test_a_number_behind_another_is_not_lost() -> None:
    assert found("2021 4111 1111 1111 1111 12/27") == [("CARD", "4111 1111 1111 1111")]
    assert found("1,2,123-45-6789,4") == [("NATIONAL_ID", "123-45-6789")]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("card ４１１１ １１１１ １１１１ １１１１.", "CARD", "４１１１ １１１１ １１１１ １１１１"),
        ("card ٤١١١١١١١١١١١١١١١", "CARD", "٤١١١١١١١١١١١١١١١"),
        ("SSN 123‑45‑6789", "NATIONAL_ID", "123‑45‑6789"),
        ("4111\u00a01111\u00a01111\u00a01111", "CARD", "4111\u00a01111\u00a01111\u00a01111"),
        ("ｊａｎｅ＠ｅｘａｍｐｌｅ．ｃｏｍ", "EMAIL", "ｊａｎｅ＠ｅｘａｍｐｌｅ．ｃｏｍ"),
    ],
)
def test_other_digits_spaces_and_dashes_are_read_as_what_they_are(text: str, kind: str, value: str) -> None:
    assert found(text) == [(kind, value)]
