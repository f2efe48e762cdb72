"""Generated texts with and without secrets, in the files and languages in which they occur, from a fixed seed."""

import hashlib
import string
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Final, NamedTuple

_ALNUM: Final = string.ascii_letters + string.digits
_WORDS: Final = (
    *("harbor", "violet", "copper", "meadow", "lantern", "ridge", "falcon", "ember"),
    *("willow", "granite", "comet", "saddle", "orchid", "thunder", "maple", "cobalt"),
)


class Text(NamedTuple):
    """A text and the secret in it; None if it has none."""

    text: str
    secret: str | None
    form: str


def _password(random: Random) -> str:
    word = random.choice(_WORDS)
    return random.choice(
        (
            lambda: word.capitalize() + str(random.randint(10, 9999)) + random.choice("!@#?*"),
            lambda: "".join(random.choices(_ALNUM, k=random.randint(8, 14))),
            lambda: "".join(random.choices(_ALNUM + "!@#%^*-_+.~", k=random.randint(10, 20))),
            lambda: word + random.choice("_-.!@") + random.choice(_WORDS) + str(random.randint(1, 99)),
            lambda: (
                word[:2] + word[2:].replace("o", "0").replace("e", "3").replace("a", "4") + str(random.randint(0, 99))
            ),
            lambda: "".join(random.choices(string.ascii_lowercase, k=random.randint(10, 16))),
        )
    )()


def _key(random: Random) -> str:
    return random.choice(
        (
            lambda: "".join(random.choices(_ALNUM, k=random.choice((20, 24, 32, 40, 64)))),
            lambda: random.randbytes(random.choice((16, 20, 32))).hex(),
            lambda: b64encode(random.randbytes(random.choice((24, 32, 48)))).decode(),
            lambda: "".join(random.choices(_ALNUM + "-_", k=random.choice((28, 43, 50)))),
            lambda: str(uuid.UUID(int=random.getrandbits(128), version=4)),
            lambda: "".join(random.choices(string.ascii_uppercase + string.digits, k=random.choice((20, 32)))),
        )
    )()


_PASSWORD_FORMS: Final = (
    'password = "{}"', "password: '{}'", "DB_PASSWORD={}", "export PGPASSWORD='{}'", '"password": "{}",',
    "spring.datasource.password={}", "  password: {}", "<password>{}</password>",
    "<add key=\"DbPassword\" value=\"{}\"/>",
    "const dbPassword = '{}';", 'String passwd = "{}";', "define('DB_PASSWORD', '{}');", "$db['pass'] = '{}';",
    'PASSWD := "{}"', 'let pwd: String = "{}".to_string();', "ALTER USER app WITH PASSWORD '{}';",
    "CREATE USER 'app'@'%' IDENTIFIED BY '{}'; -- password '{}'", "Server=db;Database=x;User Id=sa;Password={};",
    "postgres://app:{}@db.internal:5432/app", "redis://:{}@cache:6379/0", "mysql -u root -p{} shop",
    "sshpass -p '{}' ssh root@host",
    "curl -u admin:{} https://api.internal/v1", "machine git.internal login deploy password {}",
    "db.internal:5432:app:app:{}",
    "--password {}", "--db-password={}", "contraseña: {}", "Mein Passwort ist {}", "mot de passe : {}",
    "senha = \"{}\"",
    "пароль: {}", "密码：{}".replace("：", ": "), "passwort=\"{}\"", "hasło: {}", "wachtwoord: {}", "parola: \"{}\"",
    "The password is {} and the door is open.", "login: bob / password: {}", "user=bob&password={}&next=/",
    "- name: DB_PASSWORD\n  value: \"{}\"",
    "set_password(\"{}\")", "'PASSWORD': '{}',", "ENV MYSQL_ROOT_PASSWORD={}", "smtp_pass = {}", "adminPassword=\"{}\"",
    '{{"login": "{}-x"}}'.replace("{}-x", "bob") + ' , "pass": "{}"', "ansible_become_pass: {}",
    "KeyStorePassword = \"{}\"", "[mail]\npass = {}",
    "<entry key=\"password\">{}</entry>", "user: bob\npass: {}\n", ":password => \"{}\"", "(def password \"{}\")",
    "auth_password ||= '{}'",
)  # fmt: skip
_KEY_FORMS: Final = (
    'api_key = "{}"', "API_KEY={}", "apiKey: '{}',", '"client_secret": "{}"', "SECRET_KEY = '{}'", "secret: {}",
    "auth_token: {}",
    'const accessToken = "{}";', "X-Api-Key: {}", "Authorization: Bearer {}",
    "curl -H 'Authorization: Token {}' https://x.io",
    "https://api.x.io/v1/items?api_key={}&page=2", "<api-key>{}</api-key>", "--token {}", "--api-key={}",
    "os.environ['API_TOKEN'] = '{}'",
    'private static final String ENCRYPTION_KEY = "{}";', "signing_key: \"{}\"", "JWT_SECRET={}",
    "webhook_secret = \"{}\"", "ACCESS_TOKEN: {}",
    "consumerSecret=\"{}\"", "//packages.internal/:_authToken={}", "client = Client(token=\"{}\")",
    "headers = {{'x-auth-token': '{}'}}",
    "- name: API_SECRET\n  value: {}", "app.config['SECRET_KEY'] = \"{}\"", "config.secret_key_base = '{}'",
    "MASTER_KEY={}", "storage_account_key = \"{}\"",
    "token = '{}'", "my api key is {}", "AppSecret: \"{}\"", "[default]\nsecret_access_key = {}", "apikey={}",
    "deploy_token=\"{}\"",
    "session.set('access_token', '{}')", "<add key=\"ApiSecret\" value=\"{}\" />", "bearer_token => '{}'",
    "ApiToken:{}", "hmac_key := []byte(\"{}\")",
)  # fmt: skip
_HARMLESS_FORMS: Final = (
    "password = get_password()", 'password = os.environ["DB_PASSWORD"]', "password: ${DB_PASSWORD}",
    "password = None", 'password = "<your-password>"',
    "def login(user: str, password: str) -> None:", '"password": {{"type": "string"}}', 'label="Password"',
    "password: required|min:8", "Forgot your password?",
    "Enter the key to continue", "api_key = settings.API_KEY", "token = next(tokens)", 'api_key="YOUR_API_KEY"',
    "secret: !vault |", "token_count = 12345678",
    "max_tokens: 4096", "primary_key = 'customer_id'", 'key="order_total_by_region"', "sort_key: created_at_desc",
    "public_key = {}", "commit {}", "sha256: {}",
    'integrity: "sha512-{}"', "etag: {}", "request_id={}", "trace {} failed", 'data:image/png;base64,{}',
    "color: #a3f4c2; background: #00ff7f",
    "version = 10.4.12-rc1", "ISBN 978-3-16-148410-0",
    "const keyPassthroughHandlerFactory = createKeyPassthroughHandler();", "/usr/lib/ssl/private/key.pem",
    "https://example.com/reset-password?step=2", "Das Passwort muss mindestens acht Zeichen haben.", "密码不能为空",
    "Пароль должен содержать цифры",
    "El token de acceso caduca en una hora.", "Le mot de passe est obligatoire.", "The key was under the mat.",
    'secret_name: "prod/database/main"',
    "password_hash = bcrypt.hashpw(password)", "keyboard: qwerty", "token: string;", "passwordField.setText(\"\")",
    'i18n.t("auth.password.too_short")',
    '"password": "Passwort"', "API_KEY=changeme", "password=xxxxxxxx", "token: secret://billing/stripe",
    "key: [SECRET]", "password: <PASSWORD_1>",
    "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE", "password = input('Password: ')", "'key': 'value'",
    "accessKeyId: process.env.KEY_ID", "auth: oauth2",
)  # fmt: skip


def _fillers(random: Random) -> Sequence[str]:
    return (
        "import os\n\ndef main():\n    connect()\n",
        "# settings of the service\nhost: db.internal\nport: 5432\n",
        "Hello team,\nplease find the details below.\n",
        "2026-01-05 10:00:01 INFO started worker 4\n",
        f"build {hashlib.sha1(random.randbytes(8), usedforsecurity=False).hexdigest()} ok\n",
        "",
    )


def positives(count: int, seed: int) -> Iterator[Text]:
    """Yield texts that each hold one secret."""
    random = Random(seed)
    kinds: tuple[tuple[Sequence[str], Callable[[Random], str]], ...] = (
        (_PASSWORD_FORMS, _password),
        (_KEY_FORMS, _key),
    )
    for number in range(count):
        forms, draw = kinds[number % 2]
        form, secret = random.choice(forms), draw(random)
        before, after = random.choice(_fillers(random)), random.choice(_fillers(random))
        yield Text(f"{before}{form.replace('{{', '{').replace('}}', '}').replace('{}', secret)}\n{after}", secret, form)


def negatives(count: int, seed: int) -> Iterator[Text]:
    """Yield texts that hold none, though they look as if."""
    random = Random(seed)
    for _ in range(count):
        form = random.choice(_HARMLESS_FORMS)
        value = random.choice(
            (
                hashlib.sha256(random.randbytes(8)).hexdigest(),
                str(uuid.UUID(int=random.getrandbits(128), version=4)),
                b64encode(random.randbytes(48)).decode(),
            )
        )
        yield Text(random.choice(_fillers(random)) + form.replace("{}", value) + "\n", None, form)
