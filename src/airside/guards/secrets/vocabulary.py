"""The words by which names are told apart, and the words that stand where a secret would."""

from typing import Final

_KEYS = """
    secret secrets token tokens apikey accesskey secretkey privatekey authkey bearer credential credentials cred
    creds jwt auth authorization authtoken accesstoken sas webhook dsn ключ токен 密钥 schlüssel schluessel cookie
    session sessionid sid otp salt seed
"""
KEYS: Final = frozenset(_KEYS.split())
"""Words of a name that say: this is a key."""

_QUALIFIERS = """
    api access secret private auth app application client account master encryption encrypt crypto signing sign
    shared service server storage admin license licence consumer subscription user access primary secondary hmac aes
    des rsa ssh ssl tls web cookie session jwt token deploy integration rest write read live prod production dev
    stripe db
"""
QUALIFIERS: Final = frozenset(_QUALIFIERS.split())
"""Words before "key" that say what it opens."""

_ABOUT = """
    count limit max min length len size type name names url uri endpoint path file filename dir folder field label
    hint placeholder prompt policy regex pattern id ids expires expiry expiration expire ttl timeout version format
    class selector input column prefix suffix header headers hash digest fingerprint algorithm alg strength reset
    help error message msg text title description required enabled attempts manager provider generator validator
    index arn ref env var mode status store usage rotation template form sha checksum etag commit revision uuid guid
    code vault parser handler factory service method function callback link page number location source public kind
    state at date time
"""
ABOUT: Final = frozenset(_ABOUT.split())
"""Last words of names that name something about a secret, or something else."""

_STAND_INS = """
    none null nil true false undefined default empty string str text password passwd pass pwd secret token key
    apikey api_key api-key username user name admin root required optional hidden input test testing basic bearer
    plain private public value unknown disabled enabled yes no auto invalid valid missing forgot reset confirm
    change current new old login signin signup email bytes object boolean integer number any void self cls this
    unset postgres mysql guest demo local localhost development production staging never always digest prompt file
    env environment keyring vault passphrase credentials credential authorization authentication oauth oauth2 jwt
    hash hashed encrypted base64 utf-8
"""
STAND_INS: Final = frozenset(_STAND_INS.split())
"""What code and forms put where a secret goes."""

_PASSWORDS = """
    password passwd passwort passphrase passcode passw pword kennwort contrase palavra wachtwoord senord adgangskode
    passord salasana hasło heslo jelsz şifre пароль парол 密码 密碼 口令
    パスワード 暗証番号 비밀번호 암호 المرور السر סיסמ पासवर्ड khẩu sandi รหัสผ่าน κωδικ
    geheim секрет
"""
PASSWORDS: Final = frozenset(_PASSWORDS.split())
"""Parts of names that say: this is a password, in many languages."""

_OTHERS = """
    publickey public_key public-key publictoken public_token public-token keyword keyboard keycode keydown keyup
    keypress keyframe authors author_ author- authored monkey donkey turkey hockey jockey compass bypass passenger
    passive passage primarykey primary_key primary-key foreignkey foreign_key partition sortkey sort_key cache_key
    cachekey cache-key tokeniz tokenis keystone sig_ design assign singleton idempoten integrity publishable sitekey
    site_key site-key csrf authenticity surpass trespass encompass discredit accredit keynote keyring keymesh keying
"""
OTHERS: Final = frozenset(_OTHERS.split())
"""Parts of names that hold the letters of a secret and mean something else."""

_COMMON = """
    letmein swordfish iloveyou football baseball sunshine princess superman batman dragon shadow monkey trustno welcome
    qwerty qwertz azerty asdfgh zxcvbn hunter starwars whatever freedom michael jordan ninja mustang
    access flower cheese supersecret topsecret opensesame correcthorsebatterystaple toor secretpassword
"""
COMMON: Final = frozenset(_COMMON.split())
"""Words that people take for passwords, most often of all."""
