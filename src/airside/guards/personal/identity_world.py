"""National identity and tax numbers outside Europe. What has a weak checksum needs a word that says what it is."""

from typing import Final

from stdnum.ar import cuit
from stdnum.au import tfn
from stdnum.br import cnpj, cpf
from stdnum.ca import sin
from stdnum.cl import rut
from stdnum.cn import ric
from stdnum.co import nit
from stdnum.do import cedula
from stdnum.ec import ci
from stdnum.eg import tn
from stdnum.id import nik
from stdnum.il import idnr as il_id
from stdnum.in_ import aadhaar, epic, pan
from stdnum.kr import rrn
from stdnum.mx import curp, rfc
from stdnum.my import nric
from stdnum.nz import ird
from stdnum.pe import cui
from stdnum.pk import cnic
from stdnum.th import pin
from stdnum.tr import tckimlik
from stdnum.us import atin, ein, itin, ssn
from stdnum.za import idnr as za_id

from airside.guards.personal.identity_checks import hong_kong, medicare, my_number, singapore, taiwan
from airside.guards.personal.identity_europe import row
from airside.guards.personal.shapes import Shape

_TAX: Final = "TAX_ID"
_SSN = "ssn|social security|soc sec|social security number"
_ITIN = "itin|taxpayer identification|taxpayer id|tax id"
_MY_NUMBER = "マイナンバー|個人番号|my number|mynumber|kojin bango"
_AADHAAR = "aadhaar|aadhar|uidai|आधार|uid"
_SIN = "sin|social insurance|nas|assurance sociale"

SHAPES: Final[tuple[Shape, ...]] = (
    # North America
    row("us_ssn", "999-99-9999", ssn, _SSN, alone=True),
    row("us_ssn.plain", "999999999|999 99 9999|999.99.9999", ssn, _SSN),
    row("us_itin", "999-99-9999", itin, _ITIN, kind=_TAX, alone=True),
    row("us_itin.plain", "999999999|999 99 9999", itin, _ITIN, kind=_TAX),
    row("us_atin", "999-99-9999", atin, "atin|adoption taxpayer", kind=_TAX),
    row("us_ein", "99-9999999", ein, "ein|employer identification|fein|tax id", kind=_TAX),
    row("ca_sin", "999-999-999|999 999 999|999999999", sin, _SIN),
    row("mx_curp", "AAAA999999AAAAAA99|AAAA999999AAAAAAA9", curp, "curp", alone=True),
    row(
        "mx_rfc",
        "AAAA999999AAA|AAAA999999999|AAAA999999AA9|AAAA999999A99|AAAA9999999A9|AAAA99999999A|AAAA9999999AA"
        "|AAAA999999A9A",
        rfc,
        "rfc|registro federal de contribuyentes",
        kind=_TAX,
    ),
    # South America, the Caribbean
    row("br_cpf", "999.999.999-99|999999999-99", cpf, "cpf|cadastro de pessoas", alone=True),
    row("br_cpf.plain", "99999999999|999 999 999 99", cpf, "cpf|cadastro de pessoas"),
    row("br_cnpj", "99.999.999/9999-99", cnpj, "cnpj", kind=_TAX, alone=True),
    row("br_cnpj.plain", "99999999999999", cnpj, "cnpj", kind=_TAX),
    row("ar_cuit", "99-99999999-9|99999999999|99 99999999 9", cuit, "cuit|cuil", kind=_TAX, alone=False),
    row("cl_rut", "99.999.999-9|99.999.999-A|9.999.999-9|9.999.999-A", rut, "rut|run|rol único", alone=True),
    row("cl_rut.plain", "99999999-9|99999999-A|9999999-9|9999999-A", rut, "rut|run|rol único"),
    row("co_nit", "999.999.999-9|999999999-9|9999999999", nit, "nit", kind=_TAX),
    row("ec_cedula", "9999999999|999999999-9", ci, "cédula|cedula|c.i."),
    row("do_cedula", "999-9999999-9|99999999999", cedula, "cédula|cedula"),
    row("pe_dni", "99999999-9|999999999", cui, "dni|cui"),
    # Asia
    row("in_aadhaar", "9999 9999 9999|9999-9999-9999", aadhaar, _AADHAAR, alone=True),
    row("in_aadhaar.plain", "999999999999", aadhaar, _AADHAAR),
    row("in_pan", "AAAAA9999A", pan, "pan|permanent account number|income tax", alone=True),
    row("in_voter_id", "AAA9999999", epic, "epic|voter id|voter card|election"),
    row(
        "cn_ric",
        "999999999999999999|99999999999999999A",
        ric,
        "身份证|居民身份|身分证|id card|resident identity",
        alone=True,
    ),
    row("jp_my_number", "999999999999|9999 9999 9999|9999-9999-9999", my_number, _MY_NUMBER),
    row("kr_rrn", "999999-9999999", rrn, "주민등록번호|주민번호|rrn|resident registration", alone=True),
    row("kr_rrn.plain", "9999999999999", rrn, "주민등록번호|주민번호|rrn|resident registration"),
    row("tw_id", "A999999999", taiwan, "身分證|身份證|統一編號|national id|taiwan id|taiwan"),
    row(
        "hk_hkid",
        "A999999(9|AA999999(9|A999999(A|AA999999(A|A9999999|AA9999999",
        hong_kong,
        "hkid|身份證|香港身份證|hong kong id|hong kong identity",
    ),
    row("sg_nric", "A9999999A", singapore, "nric|fin|singpass|identity card"),
    row("my_nric", "999999-99-9999", nric, "mykad|nric|kad pengenalan|no. kp|ic number|ic no", alone=True),
    row("my_nric.plain", "999999999999", nric, "mykad|nric|kad pengenalan|no. kp|ic number|ic no"),
    row("id_nik", "9999999999999999", nik, "nik|ktp|nomor induk kependudukan"),
    row("th_pin", "9-9999-99999-99-9|9999999999999|9 9999 99999 99 9", pin, "บัตรประชาชน|เลขประจำตัว|thai id|citizen id"),
    row("pk_cnic", "99999-9999999-9", cnic, "cnic|nadra|شناختی", alone=True),
    row("pk_cnic.plain", "9999999999999", cnic, "cnic|nadra|شناختی"),
    row("il_id", "999999999|99999999-9", il_id, 'teudat zehut|תעודת זהות|ת.ז|ת"ז|israeli id|מספר זהות'),
    row("tr_kimlik", "99999999999", tckimlik, "kimlik|tckn|t.c.|tc no|tc kimlik|vatandaşlık"),
    # Africa, Oceania
    row(
        "za_id",
        "9999999999999|999999 9999 999|999999 9999 99 9",
        za_id,
        "rsa id|south african id|id number|sa id",
    ),
    row("eg_tn", "999-999-999", tn, "tax registration|التسجيل الضريبي", kind=_TAX),
    row("au_tfn", "999 999 999|999999999|999-999-999", tfn, "tfn|tax file number|tax file", kind=_TAX),
    row("au_medicare", "9999 99999 9|9999999999|9999-99999-9|9999 99999 9/9", medicare, "medicare"),
    row("nz_ird", "99-999-999|999-999-999|99999999|999999999", ird, "ird|inland revenue", kind=_TAX),
)
