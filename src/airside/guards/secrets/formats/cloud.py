"""Keys of clouds, hosting, networks and databases as a service."""

from airside.guards.secrets.checksums import storage_key
from airside.guards.secrets.formats.form import Around, Named, Token
from airside.guards.secrets.shape import mixed, random_looking

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
TOKENS = (
    Token(
        "aws_access_key",
        "AWS",
        ("AKIA", "ASIA", "ABIA", "ACCA"),
        "[A-Z2-7]{16}",
        "docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html",
    ),
    Token("aws_bedrock_key", "AWS", ("ABSK",), "[A-Za-z0-9+/]{100,270}={0,2}", "docs.aws.amazon.com/bedrock", mixed),
    Token(
        "aws_bedrock_short_key", "AWS", ("bedrock-api-key-",), "[A-Za-z0-9+/=_-]{60,}", "docs.aws.amazon.com/bedrock"
    ),
    Token(
        "google_key",
        "Google",
        ("AIza",),
        "[A-Za-z0-9_-]{35}",
        "cloud.google.com/docs/authentication/api-keys",
        public=True,
    ),
    Token("google_oauth_secret", "Google", ("GOCSPX-",), "[A-Za-z0-9_-]{28}", "developers.google.com/identity"),
    Token(
        "google_access_token", "Google", ("ya29.",), "[A-Za-z0-9_-]{30,400}", "developers.google.com/identity", mixed
    ),
    Token("google_refresh_token", "Google", ("1//0",), "[A-Za-z0-9_-]{60,120}", "developers.google.com/identity"),
    Token(
        "firebase_key",
        "Firebase",
        ("AAAA",),
        "[A-Za-z0-9_-]{7}:[A-Za-z0-9_-]{140}",
        "firebase.google.com/docs/cloud-messaging",
    ),
    Token(
        "azure_sas", "Azure", ("sig=",), "[A-Za-z0-9%/+]{40,60}(?:%3[Dd]|=)", "learn.microsoft.com/azure/storage", mixed
    ),
    Token(
        "azure_account_key",
        "Azure",
        ("AccountKey=",),
        "[A-Za-z0-9+/]{86}==",
        "learn.microsoft.com/azure/storage",
        sure=storage_key,
    ),
    Token(
        "azure_shared_key",
        "Azure",
        ("SharedAccessKey=",),
        "[A-Za-z0-9+/]{43}=",
        "learn.microsoft.com/azure/service-bus",
    ),
    Token(
        "digitalocean_token",
        "DigitalOcean",
        ("dop_v1_", "doo_v1_", "dor_v1_"),
        "[0-9a-fA-F]{64}",
        "docs.digitalocean.com",
    ),
    Token("heroku_key", "Heroku", ("HRKU-",), f"(?:AA[A-Za-z0-9_-]{{56,62}}|{UUID})", "devcenter.heroku.com"),
    Token(
        "flyio_token", "Fly.io", ("fm1r_", "fm1a_", "fm2_", "fo1_"), "[A-Za-z0-9+/_-]{40,}={0,3}", "fly.io/docs", mixed
    ),
    Token("supabase_token", "Supabase", ("sbp_",), "[0-9a-fA-F]{40}", "supabase.com/docs"),
    Token("supabase_secret_key", "Supabase", ("sb_secret_",), "[A-Za-z0-9_-]{22,40}", "supabase.com/docs"),
    Token("vercel_token", "Vercel", ("vcp_", "vci_", "vca_", "vcr_", "vck_"), "[A-Za-z0-9]{56}", "vercel.com/docs"),
    Token("vercel_blob_token", "Vercel", ("vercel_blob_rw_",), "[A-Za-z0-9]{16}_[A-Za-z0-9]{30}", "vercel.com/docs"),
    Token("netlify_token", "Netlify", ("nfp_", "nfc_", "nfo_"), "[A-Za-z0-9_]{36}", "docs.netlify.com"),
    Token(
        "planetscale_token",
        "PlanetScale",
        ("pscale_tkn_", "pscale_oauth_"),
        "[A-Za-z0-9=._-]{32,64}",
        "planetscale.com/docs",
    ),
    Token("planetscale_password", "PlanetScale", ("pscale_pw_",), "[A-Za-z0-9=._-]{32,64}", "planetscale.com/docs"),
    Token("neon_key", "Neon", ("napi_",), "[a-z0-9]{64}", "neon.tech/docs"),
    Token("neon_password", "Neon", ("npg_",), "[A-Za-z0-9]{12}", "neon.tech/docs", mixed),
    Token("alibaba_key", "Alibaba Cloud", ("LTAI",), "[A-Za-z0-9]{12,26}", "alibabacloud.com/help", mixed),
    Token("tencent_key", "Tencent Cloud", ("AKID",), "[A-Za-z0-9]{32}", "cloud.tencent.com/document"),
    Token("yandex_key", "Yandex", ("AQVN",), "[A-Za-z0-9_-]{35,38}", "yandex.cloud/docs/iam"),
    Token(
        "yandex_secret",
        "Yandex",
        ("YCAJ", "YCM", "YCN", "YCO", "YCP"),
        "[A-Za-z0-9_-]{37}",
        "yandex.cloud/docs/iam",
        random_looking,
    ),
    Token(
        "yandex_iam_token", "Yandex", ("t1.",), "[A-Za-z0-9_-]{20,400}[.][A-Za-z0-9_-]{80,100}", "yandex.cloud/docs/iam"
    ),
    Token("yandex_oauth_token", "Yandex", ("y0_",), "[A-Za-z0-9_-]{50,70}", "yandex.cloud/docs/iam", mixed),
    Token(
        "databricks_token",
        "Databricks",
        ("dapi", "dkea", "dose"),
        "[0-9a-fA-F]{32}(?:-[0-9])?",
        "docs.databricks.com/dev-tools/auth",
    ),
    Token("clickhouse_secret", "ClickHouse", ("4b1d",), "[A-Za-z0-9]{38}", "clickhouse.com/docs/cloud", mixed),
    Token("scalingo_token", "Scalingo", ("tk-us-",), "[A-Za-z0-9_-]{48}", "developers.scalingo.com"),
    Token(
        "cloudflare_origin_key",
        "Cloudflare",
        ("v1.0-",),
        "[0-9a-fA-F]{24}-[0-9a-fA-F]{146}",
        "developers.cloudflare.com/ssl",
    ),
    Token(
        "cloudflare_token",
        "Cloudflare",
        ("cfut_", "cfat_", "cfk_"),
        "[A-Za-z0-9_-]{40,60}",
        "developers.cloudflare.com/fundamentals/api",
    ),
    Token(
        "tailscale_key",
        "Tailscale",
        ("tskey-",),
        "(?:auth|api|client|scim|webhook)-[A-Za-z0-9]{6,20}-[A-Za-z0-9]{20,40}",
        "tailscale.com/kb",
    ),
    Token("ngrok_key", "ngrok", ("cr_",), "[A-Za-z0-9]{27}_[A-Za-z0-9]{20,24}", "ngrok.com/docs"),
    Token("upstash_key", "Upstash", ("AX",), "[A-Za-z0-9]{2}ACQg[A-Za-z0-9+/=]{40,90}", "upstash.com/docs"),
    Token("openshift_token", "OpenShift", ("sha256~",), "[A-Za-z0-9_-]{43}", "docs.openshift.com"),
    Token("render_key", "Render", ("rnd_",), "[A-Za-z0-9]{28,32}", "render.com/docs"),
    Token("xata_key", "Xata", ("xau_",), "[A-Za-z0-9]{32,36}", "xata.io/docs"),
    Token("hasura_token", "Hasura", ("dssvc-pat-", "hasura-pat-"), "[A-Za-z0-9]{24,70}", "hasura.io/docs"),
    Token("aiven_token", "Aiven", ("aivenv1",), "[A-Za-z0-9+/=_-]{60,400}", "aiven.io/docs"),
    Token("aiven_password", "Aiven", ("AVNS_",), "[A-Za-z0-9_-]{16,24}", "aiven.io/docs"),
    Token("ovh_key", "OVHcloud", ("EU.",), "[0-9a-fA-F]{16}[.][0-9a-fA-F]{32}", "help.ovhcloud.com"),
)
# Azure's newer keys carry a signature in their middle ("identifiable keys").
AROUND = (
    Around(
        "azure_ai_key",
        "Azure",
        ("JQQJ9",),
        "[A-Za-z0-9]{52}JQQJ9[9DH][A-Za-z0-9]{1,30}",
        "learn.microsoft.com/azure/ai-services",
    ),
    Around(
        "azure_storage_key",
        "Azure",
        ("+ASt", "AzSe", "+ACDb", "AIoTC", "AzFu", "+AEh", "+ARm"),
        "[A-Za-z0-9+/]{38,80}(?:[+]ASt|AzSe[A-D]|[+]ACDb|AIoTC|AzFu|[+]AEh|[+]ARm)[A-Za-z0-9+/]{5,6}={1,2}",
        "learn.microsoft.com/azure",
    ),
    Around(
        "azure_client_secret",
        "Azure",
        ("Q~",),
        "[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}",
        "learn.microsoft.com/entra",
    ),
    Around(
        "azure_devops_pat", "Azure", ("AZDO",), "[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}", "learn.microsoft.com/azure/devops"
    ),
)
NAMED = (
    Named(
        "aws_secret_key",
        "AWS",
        ("aws", "secret_access_key", "secretaccesskey"),
        "[A-Za-z0-9/+]{40}",
        "docs.aws.amazon.com",
    ),
    Named(
        "azure_key",
        "Azure",
        ("azure", "cognitive", "ocp-apim", "subscription"),
        "(?:[0-9a-fA-F]{32}|[A-Za-z0-9]{52}|[A-Za-z0-9+/]{86}==)",
        "learn.microsoft.com/azure",
    ),
    Named(
        "azure_devops_token",
        "Azure",
        ("azure", "devops", "vsts", "ado_"),
        "[a-z2-7]{52}",
        "learn.microsoft.com/azure/devops",
    ),
    Named(
        "cloudflare_key",
        "Cloudflare",
        ("cloudflare", "cf_api", "cf_key", "x-auth-key"),
        "(?:[0-9a-fA-F]{37}|[A-Za-z0-9_-]{40})",
        "developers.cloudflare.com",
    ),
    Named("heroku_legacy_key", "Heroku", ("heroku",), UUID, "devcenter.heroku.com"),
    Named(
        "scaleway_secret",
        "Scaleway",
        ("scaleway", "scw_secret", "scw_access"),
        f"(?:{UUID}|SCW[A-Z0-9]{{17}})",
        "scaleway.com/docs",
    ),
    Named("linode_token", "Linode", ("linode",), "[0-9a-fA-F]{64}", "techdocs.akamai.com/linode-api"),
    Named("vultr_key", "Vultr", ("vultr",), "[A-Z0-9]{36}", "vultr.com/api"),
    Named("hetzner_token", "Hetzner", ("hetzner", "hcloud"), "[A-Za-z0-9]{64}", "docs.hetzner.cloud"),
    Named("fastly_token", "Fastly", ("fastly",), "[A-Za-z0-9_-]{32}", "docs.fastly.com"),
    Named("ibm_key", "IBM", ("ibm", "watson", "iam_apikey"), "[A-Za-z0-9_-]{44}", "cloud.ibm.com/docs"),
    Named(
        "oracle_key",
        "Oracle",
        ("oci_", "oracle"),
        "(?:[A-Za-z0-9+/]{43}=|[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){15})",
        "docs.oracle.com/iaas",
    ),
    Named(
        "alibaba_secret",
        "Alibaba Cloud",
        ("alibaba", "aliyun", "alicloud", "access_key_secret", "accesskeysecret"),
        "[A-Za-z0-9]{30}",
        "alibabacloud.com/help",
    ),
    Named("tencent_secret", "Tencent Cloud", ("tencent", "qcloud"), "[A-Za-z0-9]{32}", "cloud.tencent.com/document"),
    Named("baidu_secret", "Baidu", ("baidu", "bce_", "baiduyun"), "[0-9a-fA-F]{32}", "cloud.baidu.com/doc"),
    Named("huawei_secret", "Huawei Cloud", ("huawei",), "[A-Za-z0-9]{40}", "support.huaweicloud.com"),
    Named("snowflake_password", "Snowflake", ("snowflake",), r"[^\s\"']{8,256}", "docs.snowflake.com"),
    Named("mongodb_atlas_key", "MongoDB", ("mongodb", "atlas"), UUID, "mongodb.com/docs/atlas"),
    Named("netlify_legacy_token", "Netlify", ("netlify",), "[A-Za-z0-9_-]{40,46}", "docs.netlify.com"),
    Named("vercel_legacy_token", "Vercel", ("vercel", "zeit"), "[A-Za-z0-9]{24}", "vercel.com/docs"),
    Named("ngrok_token", "ngrok", ("ngrok",), "[A-Za-z0-9]{25,30}_[A-Za-z0-9]{20,25}", "ngrok.com/docs"),
    Named("meraki_key", "Cisco Meraki", ("meraki",), "[0-9a-fA-F]{40}", "developer.cisco.com/meraki"),
    Named("confluent_secret", "Confluent", ("confluent",), "[A-Za-z0-9+/]{64}", "docs.confluent.io"),
    Named("elastic_key", "Elastic", ("elastic",), "[A-Za-z0-9+/_-]{56,64}={0,2}", "elastic.co/guide"),
    Named("cloudinary_secret", "Cloudinary", ("cloudinary",), "[A-Za-z0-9_-]{27}", "cloudinary.com/documentation"),
)
