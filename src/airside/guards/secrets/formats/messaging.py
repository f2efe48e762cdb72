"""Keys of chat, mail, telephony and social networks."""

from airside.guards.secrets.checksums import discord_token
from airside.guards.secrets.formats.form import Around, Named, Token
from airside.guards.secrets.shape import mixed

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
# What a number of seventeen digits or more begins with in base64.
_DISCORD = tuple(one + two for one in ("MT", "Mj", "Mz", "ND", "NT", "Nj", "Nz", "OD", "OT") for two in "AEIMQUYcgk")
_MAILCHIMP = tuple(f"-us{digit}" for digit in range(1, 10))
TOKENS = (
    Token(
        "slack_bot_token",
        "Slack",
        ("xoxb-",),
        "[0-9]{8,14}-[A-Za-z0-9-]{14,80}",
        "api.slack.com/authentication/token-types",
    ),
    Token(
        "slack_user_token",
        "Slack",
        ("xoxp-", "xoxe-", "xoxa-", "xoxs-", "xoxo-", "xoxr-"),
        "(?:[0-9]{9,14}-){2,3}[A-Za-z0-9]{24,40}(?:-[A-Za-z0-9]{6,40})?|[0-9]-[A-Za-z0-9]{140,180}",
        "api.slack.com/authentication",
        mixed,
    ),
    Token(
        "slack_cookie", "Slack", ("xoxc-", "xoxd-"), "[A-Za-z0-9%+/=-]{40,400}", "api.slack.com/authentication", mixed
    ),
    Token(
        "slack_rotating_token",
        "Slack",
        ("xoxe.xoxb-", "xoxe.xoxp-"),
        "[0-9]-[A-Za-z0-9]{140,180}",
        "api.slack.com/authentication/rotation",
    ),
    Token(
        "slack_app_token",
        "Slack",
        ("xapp-",),
        "[0-9]-[A-Z0-9]{8,14}-[0-9]{8,16}-[a-f0-9]{40,80}",
        "api.slack.com/authentication",
    ),
    Token(
        "slack_webhook",
        "Slack",
        ("hooks.slack.com/",),
        "(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{40,64}",
        "api.slack.com/messaging/webhooks",
    ),
    Token(
        "discord_bot_token",
        "Discord",
        _DISCORD,
        r"[A-Za-z0-9_-]{20,25}\.[A-Za-z0-9_-]{6}\.[A-Za-z0-9_-]{27,40}",
        "discord.com/developers/docs",
        discord_token,
    ),
    Token(
        "discord_webhook",
        "Discord",
        ("discord.com/api/webhooks/", "discordapp.com/api/webhooks/"),
        "[0-9]{17,20}/[A-Za-z0-9_-]{60,72}",
        "discord.com/developers/docs",
    ),
    Token(
        "teams_webhook",
        "Microsoft",
        (".webhook.office.com/webhookb2/",),
        UUID + "@" + UUID + "/IncomingWebhook/[0-9a-fA-F]{32}/" + UUID,
        "learn.microsoft.com/microsoftteams",
    ),
    Token("twilio_key", "Twilio", ("SK",), "[0-9a-fA-F]{32}", "twilio.com/docs/iam/api-keys"),
    Token("sendgrid_key", "SendGrid", ("SG.",), "[A-Za-z0-9_-]{22}[.][A-Za-z0-9_-]{43}", "twilio.com/docs/sendgrid"),
    Token("mailgun_key", "Mailgun", ("key-",), "[0-9a-fA-F]{32}", "documentation.mailgun.com"),
    Token("mandrill_key", "Mandrill", ("md-",), "[A-Za-z0-9_-]{22}", "mailchimp.com/developer/transactional", mixed),
    Token("brevo_key", "Brevo", ("xkeysib-", "xsmtpsib-"), "[0-9a-fA-F]{64}-[A-Za-z0-9]{16}", "developers.brevo.com"),
    Token("resend_key", "Resend", ("re_",), "[A-Za-z0-9]{8,10}_[A-Za-z0-9]{20,26}", "resend.com/docs", mixed),
    Token("mailersend_token", "MailerSend", ("mlsn.",), "[0-9a-fA-F]{64}", "developers.mailersend.com"),
    Token("beamer_token", "Beamer", ("b_",), "[A-Za-z0-9=_-]{44}", "getbeamer.com/api", mixed),
    Token(
        "facebook_token",
        "Facebook",
        ("EAAG", "EAAB", "EAAC", "EAAM", "EAAE"),
        "[A-Za-z0-9]{30,300}",
        "developers.facebook.com/docs/facebook-login",
        mixed,
    ),
    Token(
        "instagram_token",
        "Instagram",
        ("IGQV", "IGAA"),
        "[A-Za-z0-9_-]{60,300}",
        "developers.facebook.com/docs/instagram",
        mixed,
    ),
    Token("twitter_bearer", "X", ("AAAAAAAAAAAAAAAAAAAAA",), "[A-Za-z0-9%+/=]{60,120}", "developer.x.com/docs", mixed),
    Token(
        "linkedin_secret",
        "LinkedIn",
        ("WPL_AP1.",),
        r"[A-Za-z0-9]{16}\.[A-Za-z0-9+/=]{6,10}",
        "learn.microsoft.com/linkedin",
    ),
    Token("twitch_token", "Twitch", ("oauth:",), "[a-z0-9]{30}", "dev.twitch.tv/docs"),
    Token(
        "onesignal_key", "OneSignal", ("os_v2_app_", "os_v2_org_"), "[a-z0-9]{90,110}", "documentation.onesignal.com"
    ),
)
AROUND = (
    Around(
        "facebook_app_token",
        "Facebook",
        tuple(f"{digit}|" for digit in range(10)),
        "[0-9]{15,16}[|][A-Za-z0-9_-]{27,40}",
        "developers.facebook.com/docs",
    ),
    Around("telegram_token", "Telegram", (":AA",), "[0-9]{8,10}:AA[A-Za-z0-9_-]{33}", "core.telegram.org/bots/api"),
    Around("mailchimp_key", "Mailchimp", _MAILCHIMP, "[0-9a-fA-F]{32}-us[1-9][0-9]?", "mailchimp.com/developer"),
)
NAMED = (
    Named(
        "mailgun_private_key",
        "Mailgun",
        ("mailgun",),
        "[0-9a-fA-F]{32}-[0-9a-fA-F]{8}-[0-9a-fA-F]{8}",
        "documentation.mailgun.com",
    ),
    Named("twilio_token", "Twilio", ("twilio",), "[0-9a-fA-F]{32}", "twilio.com/docs"),
    Named(
        "discord_secret",
        "Discord",
        ("discord",),
        "(?:[A-Za-z0-9_-]{32}|[0-9a-fA-F]{64})",
        "discord.com/developers/docs",
    ),
    Named(
        "facebook_secret",
        "Facebook",
        ("facebook", "fb_", "instagram"),
        "[0-9a-fA-F]{32}",
        "developers.facebook.com/docs",
    ),
    Named(
        "twitter_secret",
        "X",
        ("twitter", "consumer_key", "consumer_secret", "consumerkey", "consumersecret"),
        "(?:[A-Za-z0-9]{25}|[A-Za-z0-9]{45}|[A-Za-z0-9]{50}|[0-9]{15,25}-[A-Za-z0-9]{20,40})",
        "developer.x.com/docs",
    ),
    Named(
        "linkedin_key",
        "LinkedIn",
        ("linkedin", "linked_in", "linked-in"),
        "(?:[a-z0-9]{14}|[A-Za-z0-9]{16})",
        "learn.microsoft.com/linkedin",
    ),
    Named("reddit_secret", "Reddit", ("reddit",), "[A-Za-z0-9_-]{27,30}", "reddit.com/dev/api"),
    Named("twitch_secret", "Twitch", ("twitch",), "[a-z0-9]{30}", "dev.twitch.tv/docs"),
    Named(
        "messagebird_key",
        "MessageBird",
        ("messagebird", "message_bird", "message-bird"),
        "[A-Za-z0-9]{25}",
        "developers.messagebird.com",
    ),
    Named("vonage_secret", "Vonage", ("vonage", "nexmo"), "[A-Za-z0-9]{16}", "developer.vonage.com"),
    Named("plivo_token", "Plivo", ("plivo",), "[A-Za-z0-9]{40}", "plivo.com/docs"),
    Named(
        "sendbird_token",
        "Sendbird",
        ("sendbird",),
        "(?:[0-9a-fA-F]{40}|[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})",
        "sendbird.com/docs",
    ),
    Named("pusher_secret", "Pusher", ("pusher",), "[0-9a-fA-F]{20}", "pusher.com/docs"),
    Named("mattermost_token", "Mattermost", ("mattermost",), "[a-z0-9]{26}", "developers.mattermost.com"),
    Named("gitter_token", "Gitter", ("gitter",), "[a-z0-9_-]{40}", "developer.gitter.im"),
    Named("postmark_token", "Postmark", ("postmark",), UUID, "postmarkapp.com/developer"),
    Named("sparkpost_key", "SparkPost", ("sparkpost",), "[0-9a-fA-F]{40}", "developers.sparkpost.com"),
    Named("mailjet_secret", "Mailjet", ("mailjet",), "[0-9a-fA-F]{32}", "dev.mailjet.com"),
    Named("zendesk_key", "Zendesk", ("zendesk",), "[A-Za-z0-9]{40}", "developer.zendesk.com"),
    Named("intercom_token", "Intercom", ("intercom",), "[A-Za-z0-9=_-]{60}", "developers.intercom.com"),
    Named("klaviyo_key", "Klaviyo", ("klaviyo",), "pk_[0-9a-fA-F]{34}", "developers.klaviyo.com"),
)
