"""Keys of monitoring, logging, alerting, identity and the keepers of secrets."""

from airside.guards.secrets.checksums import bech32, json_body
from airside.guards.secrets.formats.form import Around, Named, Token
from airside.guards.secrets.shape import mixed

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
TOKENS = (
    Token("grafana_service_token", "Grafana", ("glsa_",), "[A-Za-z0-9]{32}_[0-9a-fA-F]{8}", "grafana.com/docs"),
    Token("grafana_cloud_token", "Grafana", ("glc_",), "[A-Za-z0-9+/]{32,400}={0,3}", "grafana.com/docs", mixed),
    Token("grafana_key", "Grafana", ("eyJrIjoi",), "[A-Za-z0-9]{70,400}={0,3}", "grafana.com/docs"),
    Token("newrelic_user_key", "New Relic", ("NRAK-",), "[A-Z0-9]{27}", "docs.newrelic.com"),
    Token("newrelic_insert_key", "New Relic", ("NRII-", "NRIQ-"), "[A-Za-z0-9_-]{32}", "docs.newrelic.com"),
    Token("newrelic_browser_key", "New Relic", ("NRJS-",), "[0-9a-fA-F]{19}", "docs.newrelic.com"),
    Token(
        "dynatrace_token",
        "Dynatrace",
        ("dt0c01.", "dt0s01.", "dt0s02.", "dt0s16."),
        "[A-Z0-9]{8,24}[.][A-Z0-9]{64}",
        "docs.dynatrace.com",
    ),
    Token(
        "honeycomb_key",
        "Honeycomb",
        ("hcaik_", "hcxik_", "hcamk_", "hcxmk_", "hcbik_"),
        "[a-z0-9]{26,64}",
        "docs.honeycomb.io",
        mixed,
    ),
    Token("datadog_new_key", "Datadog", ("ddapp_", "ddpat_"), "[A-Za-z0-9]{34,50}", "docs.datadoghq.com"),
    Token("posthog_key", "PostHog", ("phx_", "phs_"), "[A-Za-z0-9_]{40,50}", "posthog.com/docs"),
    Token("rollbar_token", "Rollbar", ("post_server_item_",), "[0-9a-fA-F]{32}", "docs.rollbar.com"),
    Token(
        "vault_token", "HashiCorp", ("hvs.", "hvb.", "hvr."), "[A-Za-z0-9_-]{24,300}", "developer.hashicorp.com/vault"
    ),
    Token("vault_legacy_token", "HashiCorp", ("s.",), "[A-Za-z0-9]{24}", "developer.hashicorp.com/vault", mixed),
    Token(
        "doppler_token",
        "Doppler",
        ("dp.pt.", "dp.st.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit."),
        "(?:[a-z0-9_-]{2,35}[.])?[A-Za-z0-9]{40,44}",
        "docs.doppler.com",
    ),
    Token(
        "infisical_token",
        "Infisical",
        ("st.",),
        "[0-9a-fA-F]{24}[.][0-9a-fA-F]{32}[.][0-9a-fA-F]{32}",
        "infisical.com/docs",
    ),
    Token(
        "onepassword_service_token",
        "1Password",
        ("ops_",),
        "eyJ[A-Za-z0-9+/_-]{200,}={0,3}",
        "developer.1password.com",
        sure=json_body,
    ),
    Token(
        "onepassword_secret_key",
        "1Password",
        ("A3-",),
        "[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
        "support.1password.com/secret-key",
    ),
    Token(
        "bitwarden_token", "Bitwarden", ("0.",), UUID + "[.][A-Za-z0-9]{30}:[A-Za-z0-9+/]{22}==", "bitwarden.com/help"
    ),
    Token(
        "age_secret_key",
        "age",
        ("AGE-SECRET-KEY-1", "AGE-PLUGIN-YUBIKEY-1"),
        "[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}",
        "age-encryption.org/v1",
        sure=bech32,
    ),
    Token("workos_key", "WorkOS", ("sk_live_", "sk_test_"), "[A-Za-z0-9+/=_-]{60,120}", "workos.com/docs"),
    Token("clerk_key", "Clerk", ("sk_live_", "sk_test_"), "[A-Za-z0-9]{40,50}", "clerk.com/docs"),
    Token("stytch_secret", "Stytch", ("secret-live-", "secret-test-"), "[A-Za-z0-9_-]{35}=", "stytch.com/docs"),
    Token("permit_key", "Permit.io", ("permit_key_",), "[A-Za-z0-9]{70,90}", "docs.permit.io"),
)
AROUND = (Around("newrelic_licence_key", "New Relic", ("NRAL",), "[0-9a-fA-F]{36}NRAL", "docs.newrelic.com"),)
NAMED = (
    Named(
        "datadog_key",
        "Datadog",
        ("datadog", "dd_api", "dd-api", "dd_app", "dd-app"),
        "(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{40})",
        "docs.datadoghq.com",
    ),
    Named(
        "newrelic_legacy_key",
        "New Relic",
        ("newrelic", "new_relic", "new-relic"),
        "(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{47,48})",
        "docs.newrelic.com",
    ),
    Named("sentry_legacy_token", "Sentry", ("sentry",), "[0-9a-fA-F]{64}", "docs.sentry.io"),
    Named("sumologic_key", "Sumo Logic", ("sumo",), "(?:su[A-Za-z0-9]{12}|[A-Za-z0-9]{64})", "help.sumologic.com"),
    Named("splunk_token", "Splunk", ("splunk", "hec_token"), UUID, "docs.splunk.com"),
    Named("loggly_token", "Loggly", ("loggly",), UUID, "documentation.solarwinds.com"),
    Named("logzio_token", "Logz.io", ("logzio", "logz.io", "logz_io"), "[A-Za-z0-9]{32}", "docs.logz.io"),
    Named(
        "pagerduty_key",
        "PagerDuty",
        ("pagerduty", "pager_duty", "pd_token"),
        "(?:u[+])?[A-Za-z0-9_+-]{18,20}|[0-9a-fA-F]{32}",
        "developer.pagerduty.com",
    ),
    Named("opsgenie_key", "Opsgenie", ("opsgenie",), UUID, "support.atlassian.com/opsgenie"),
    Named("bugsnag_key", "Bugsnag", ("bugsnag",), "[0-9a-fA-F]{32}", "docs.bugsnag.com"),
    Named("airbrake_key", "Airbrake", ("airbrake",), "[0-9a-fA-F]{32,40}", "docs.airbrake.io"),
    Named("amplitude_key", "Amplitude", ("amplitude",), "[0-9a-fA-F]{32}", "amplitude.com/docs"),
    Named("mixpanel_secret", "Mixpanel", ("mixpanel",), "[0-9a-fA-F]{32}", "developer.mixpanel.com"),
    Named("segment_key", "Segment", ("segment",), "[A-Za-z0-9_-]{32}|sgp_[A-Za-z0-9]{64}", "segment.com/docs"),
    Named("okta_key", "Okta", ("okta", "ssws"), "00[A-Za-z0-9_-]{40}", "developer.okta.com"),
    Named("auth0_secret", "Auth0", ("auth0",), "[A-Za-z0-9_-]{64}", "auth0.com/docs"),
    Named("onelogin_secret", "OneLogin", ("onelogin",), "[0-9a-fA-F]{64}", "developers.onelogin.com"),
    Named(
        "jumpcloud_key", "JumpCloud", ("jumpcloud",), "(?:jca_[A-Za-z0-9]{36}|[0-9a-fA-F]{40})", "jumpcloud.com/support"
    ),
    Named("virustotal_key", "VirusTotal", ("virustotal", "vt_api", "vtapi"), "[0-9a-fA-F]{64}", "docs.virustotal.com"),
    Named("shodan_key", "Shodan", ("shodan",), "[A-Za-z0-9]{32}", "developer.shodan.io"),
    Named("censys_secret", "Censys", ("censys",), "[A-Za-z0-9]{32}", "docs.censys.com"),
    Named(
        "uptimerobot_key",
        "UptimeRobot",
        ("uptimerobot", "uptime_robot"),
        "[um][0-9]{6,9}-[0-9a-fA-F]{24,32}",
        "uptimerobot.com/api",
    ),
)
