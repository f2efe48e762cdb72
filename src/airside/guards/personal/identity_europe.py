"""National identity and tax numbers of Europe. What has a weak checksum needs a word that says what it is."""

from typing import Any, Final

from stdnum.at import vnr
from stdnum.be import nn
from stdnum.bg import egn
from stdnum.ch import ssn as ahv
from stdnum.cz import rc
from stdnum.de import idnr, stnr
from stdnum.dk import cpr
from stdnum.ee import ik
from stdnum.es import dni, nie
from stdnum.es import nif as es_nif
from stdnum.fi import hetu
from stdnum.fr import nif as fr_nif
from stdnum.fr import nir
from stdnum.gb import nhs, utr
from stdnum.gr import amka
from stdnum.hr import oib
from stdnum.ie import pps
from stdnum.is_ import kennitala
from stdnum.it import codicefiscale
from stdnum.lt import asmens
from stdnum.nl import bsn
from stdnum.no import fodselsnummer
from stdnum.pl import nip, pesel
from stdnum.pt import cc
from stdnum.pt import nif as pt_nif
from stdnum.ro import cnp
from stdnum.ru import inn
from stdnum.se import personnummer
from stdnum.si import emso
from stdnum.sk import rc as sk_rc
from stdnum.ua import rntrc

from airside.guards.personal.identity_checks import cypriot, danish, german_pension, hungarian_tax, latvian, nino, snils
from airside.guards.personal.shapes import Shape

_ID: Final = "NATIONAL_ID"
_TAX: Final = "TAX_ID"


def row(rule: str, masks: str, valid: Any, words: str = "", *, kind: str = _ID, alone: bool = False) -> Shape:
    """Return a shape from masks and words parted by `|`; `valid` is a function or a module of python-stdnum."""
    return Shape(
        rule=rule,
        kind=kind,
        masks=tuple(masks.split("|")),
        valid=getattr(valid, "is_valid", valid),
        words=tuple(words.split("|")) if words else (),
        alone=alone,
    )


_PESEL = "pesel|numer ewidencyjny"
_DANISH = "cpr|cpr-nr|personnummer|cpr-nummer"
_SWEDISH = "personnummer|personnr|samordningsnummer|pnr|personal identity number"
_STEUER = (
    "steuer-id|steuerid|steueridentifikationsnummer|identifikationsnummer|idnr|steuer-identifikationsnummer|tax id|tin"
)
_NINO = "national insurance|nino|ni number|ni no"
_BSN = "bsn|burgerservicenummer|sofinummer|burger service nummer|sofi"

SHAPES: Final = (
    # United Kingdom, Ireland
    row("gb_nino", "AA999999A|AA 99 99 99 A|AA-99-99-99-A|AA 999999 A|AA99 9999A", nino, _NINO, alone=True),
    row("gb_nhs", "999 999 9999|999-999-9999|9999999999", nhs, "nhs|national health"),
    row("gb_utr", "9999999999|99999 99999", utr, "utr|unique taxpayer reference|self assessment", kind=_TAX),
    row("ie_pps", "9999999A|9999999AA", pps, "pps|ppsn|personal public service|pps number"),
    # Germany, Austria, Switzerland
    row("de_steuer_id", "99999999999|99 999 999 999|99/999/999/999", idnr, _STEUER),
    row(
        "de_steuernummer",
        "999/999/99999|99/999/99999|999/9999/9999|9999999999999|99 999 99999",
        stnr,
        "steuernummer|steuer-nr|st.-nr|stnr|st-nr",
        kind=_TAX,
    ),
    row(
        "de_rentenversicherung",
        "99999999A999|99 999999 A 999|99 999999 A999|99-999999-A-999",
        german_pension,
        "rentenversicherung|versicherungsnummer|sozialversicherungsnummer|rvnr|svnr|sv-nummer",
        alone=True,
    ),
    row(
        "at_svnr", "9999999999|9999 999999|9999-999999", vnr, "svnr|sozialversicherungsnummer|versicherungsnummer|sv-nr"
    ),
    row("ch_ahv", "999.9999.9999.99|9999999999999|999 9999 9999 99", ahv, "ahv|avs|sozialversicherung", alone=True),
    # France, Belgium, Netherlands, Luxembourg
    row(
        "fr_nir",
        "999999999999999|9 99 99 99 999 999 99|9 99 99 99 999 999|9 99 99 9A 999 999 99|9 99 99 999 999 99"
        "|999999A99999999|9999999999999 99|9-99-99-99-999-999-99|9 99 99 99999 999 99",
        nir,
        "sécurité sociale|securite sociale|nir|numéro de sécu|insee",
        alone=True,
    ),
    row(
        "fr_nif",
        "9999999999999|99 99 999 999 999",
        fr_nif,
        "numéro fiscal|numero fiscal|spi|référence fiscale",
        kind=_TAX,
    ),
    row(
        "be_rijksregister",
        "99.99.99-999.99|99999999999|999999-999-99|99.99.99 999.99|999999 999 99|99 99 99 999 99",
        nn,
        "rijksregister|registre national|nationaal nummer|numéro national|nrn|insz|niss",
        alone=True,
    ),
    row("nl_bsn", "999999999|9999.99.999|999 999 999|999-999-999|9999 99 999", bsn, _BSN),
    # Iberia, Italy, Greece, Cyprus, Malta
    row(
        "es_dni",
        "99999999A|99999999-A|99.999.999-A|99999999 A|99.999.999A",
        dni,
        "dni|nif|documento nacional",
        alone=True,
    ),
    row(
        "es_nie", "A9999999A|A-9999999-A|A-9999999A|A9999999-A|A 9999999 A", nie, "nie|número de extranjero", alone=True
    ),
    row("es_nif", "A99999999|A9999999A|A-99999999", es_nif, "nif|cif|número de identificación fiscal", kind=_TAX),
    row(
        "pt_nif", "999999999|999 999 999|999.999.999", pt_nif, "nif|contribuinte|número fiscal|numero fiscal", kind=_TAX
    ),
    row(
        "pt_cc",
        "999999999AA9|99999999 9 AA9|99999999 9AA9|999999999 AA9|99999999-9-AA9|9999999999A9|99999999 9 A99",
        cc,
        "cartão de cidadão|cartao de cidadao|bilhete de identidade",
        alone=True,
    ),
    row(
        "it_codice_fiscale",
        "AAAAAA99A99A999A",
        codicefiscale,
        "codice fiscale|c.f.|cod. fisc",
        alone=True,
    ),
    row("gr_amka", "99999999999|999999-99999", amka, "amka|αμκα|α.μ.κ.α"),
    row("cy_tic", "99999999A", cypriot, "tic|tax identification code|αφμ", kind=_TAX),
    # North
    row("se_personnummer", "999999-9999|999999+9999|99999999-9999", personnummer, _SWEDISH, alone=True),
    row("se_personnummer.plain", "9999999999|999999999999", personnummer, _SWEDISH),
    row(
        "fi_hetu",
        "999999-999A|999999-9999|999999A999A|999999A9999|999999+999A|999999+9999",
        hetu,
        "hetu|henkilötunnus|henkilotunnus|sotu",
        alone=True,
    ),
    row("dk_cpr", "999999-9999|999999 9999", danish, _DANISH),
    row("dk_cpr.plain", "9999999999", cpr, _DANISH),
    row(
        "no_fodselsnummer",
        "99999999999|999999 99999|999999-99999",
        fodselsnummer,
        "fødselsnummer|fodselsnummer|personnummer|d-nummer",
        alone=True,
    ),
    row("is_kennitala", "999999-9999|9999999999|999999 9999", kennitala, "kennitala|kt."),
    # East
    row("pl_pesel", "99999999999", pesel, _PESEL),
    row("pl_nip", "9999999999|999-999-99-99|999-99-99-999", nip, "nip|numer identyfikacji podatkowej", kind=_TAX),
    row("cz_rodne_cislo", "999999/9999|999999/999", rc, "rodné číslo|rodne cislo|r.č.|rč", alone=True),
    row("cz_rodne_cislo.plain", "9999999999", rc, "rodné číslo|rodne cislo|r.č.|rč"),
    row("sk_rodne_cislo", "999999/9999|9999999999", sk_rc, "rodné číslo|rodne cislo|r.č."),
    row("hu_adoazonosito", "9999999999", hungarian_tax, "adóazonosító|adoazonosito|adószám", kind=_TAX),
    row("ro_cnp", "9999999999999", cnp, "cnp|cod numeric personal"),
    row("bg_egn", "9999999999", egn, "egn|егн|единен граждански номер"),
    row("hr_oib", "99999999999", oib, "oib|osobni identifikacijski broj"),
    row("si_emso", "9999999999999", emso, "emšo|emso|jmbg|јмбг|matični broj"),
    row("ee_isikukood", "99999999999", ik, "isikukood|ik|personal code"),
    row("lt_asmens_kodas", "99999999999", asmens, "asmens kodas|a.k.|personal code"),
    row("lv_personas_kods", "999999-99999", latvian, "personas kods|personas kods:|pk"),
    row("ua_rnokpp", "9999999999", rntrc, "рнокпп|іпн|ідентифікаційний номер|инн", kind=_TAX),
    row("ru_inn", "999999999999", inn, "инн|inn|идентификационный номер налогоплательщика", kind=_TAX),
    row("ru_snils", "999-999-999 99|999-999-999-99|99999999999", snils, "снилс|snils"),
)
