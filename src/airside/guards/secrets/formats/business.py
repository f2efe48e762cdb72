"""Keys of office work: documents, tables, forms, customers, content, maps and search."""

from airside.guards.secrets.formats.form import Around, Named, Token
from airside.guards.secrets.shape import mixed

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
TOKENS = (
    Token("notion_token", "Notion", ("ntn_",), "[A-Za-z0-9]{40,50}", "developers.notion.com"),
    Token("notion_secret", "Notion", ("secret_",), "[A-Za-z0-9]{43}", "developers.notion.com", mixed),
    Token("airtable_token", "Airtable", ("pat",), "[A-Za-z0-9]{14}[.][0-9a-fA-F]{64}", "airtable.com/developers"),
    Token("dropbox_token", "Dropbox", ("sl.",), "[A-Za-z0-9_=-]{130,}", "dropbox.com/developers"),
    Token("hubspot_token", "HubSpot", ("pat-na1-", "pat-na2-", "pat-eu1-", "pat-ap1-"), UUID, "developers.hubspot.com"),
    Token("typeform_token", "Typeform", ("tfp_",), "[A-Za-z0-9_.=-]{40,60}", "typeform.com/developers"),
    Token("contentful_management_token", "Contentful", ("CFPAT-",), "[A-Za-z0-9_-]{43}", "contentful.com/developers"),
    Token("mapbox_token", "Mapbox", ("sk.eyJ1",), "[A-Za-z0-9_-]{30,200}[.][A-Za-z0-9_-]{22}", "docs.mapbox.com"),
    Token("frameio_token", "Frame.io", ("fio-u-",), "[A-Za-z0-9_=-]{64}", "developer.frame.io"),
    Token("clickup_token", "ClickUp", ("pk_",), "[0-9]{6,10}_[A-Z0-9]{32}", "clickup.com/api"),
    Token("baremetrics_key", "Baremetrics", ("lk_", "sk_"), "[A-Za-z0-9]{22}", "developers.baremetrics.com", mixed),
    Token(
        "cashfree_key", "Cashfree", ("cfsk_ma_",), "(?:prod|test)_[0-9a-fA-F]{32}_[0-9a-fA-F]{8}", "cashfree.com/docs"
    ),
    Token("storyblok_token", "Storyblok", ("sb_pat_",), "[A-Za-z0-9]{40,64}", "storyblok.com/docs"),
    Token("datocms_token", "DatoCMS", ("dato_",), "[0-9a-fA-F]{30}", "datocms.com/docs"),
    Token("apify_token", "Apify", ("apify_api_",), "[A-Za-z0-9]{34,40}", "docs.apify.com"),
    Token("scrapfly_key", "Scrapfly", ("scp-live-", "scp-test-"), "[0-9a-fA-F]{32}", "scrapfly.io/docs"),
    Token(
        "salesforce_token", "Salesforce", ("00D",), r"[A-Za-z0-9]{12,15}![A-Za-z0-9_.]{80,120}", "help.salesforce.com"
    ),
    Token("productboard_token", "ProductBoard", ("pb_",), "[A-Za-z0-9]{48,64}", "developer.productboard.com", mixed),
    Token("trello_token", "Trello", ("ATTA",), "[A-Za-z0-9]{64}[A-F0-9]{8}", "developer.atlassian.com/cloud/trello"),
    Token("cal_key", "Cal.com", ("cal_live_",), "[0-9a-fA-F]{32}", "cal.com/docs"),
    Token("nylas_key", "Nylas", ("nyk_v0_",), "[A-Za-z0-9]{64}", "developer.nylas.com"),
    Token("ramp_secret", "Ramp", ("ramp_sec_",), "[A-Za-z0-9]{48}", "docs.ramp.com"),
    Token("adobe_secret", "Adobe", ("p8e-", "p8-"), "[A-Za-z0-9_-]{32}", "developer.adobe.com"),
    Token("intra42_secret", "42 Intra", ("s-s4t2ud-", "s-s4t2af-"), "[0-9a-fA-F]{64}", "api.intra.42.fr/apidoc"),
)
AROUND = (
    Around("maxmind_key", "MaxMind", ("_mmk",), "[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk", "dev.maxmind.com"),
    Around(
        "rapidapi_key",
        "RapidAPI",
        ("jsn",),
        "[0-9a-fA-F]{10}msh[0-9a-fA-F]{15}p1[0-9a-fA-F]{6}jsn[0-9a-fA-F]{12}",
        "docs.rapidapi.com",
    ),
)
NAMED = (
    Named(
        "asana_token",
        "Asana",
        ("asana",),
        "[0-2]/[0-9]{10,20}(?:/[0-9]{10,20})?:[0-9a-fA-F]{32}",
        "developers.asana.com",
    ),
    Named("sanity_token", "Sanity", ("sanity",), "sk[A-Za-z0-9]{80}(?:[A-Za-z0-9]{98})?", "sanity.io/docs"),
    Named("algolia_key", "Algolia", ("algolia",), "[a-z0-9]{32}", "algolia.com/doc"),
    Named("airtable_key", "Airtable", ("airtable",), "key[A-Za-z0-9]{14}", "airtable.com/developers"),
    Named("asana_secret", "Asana", ("asana",), "[a-z0-9]{32}", "developers.asana.com"),
    Named("dropbox_secret", "Dropbox", ("dropbox",), "(?:[a-z0-9]{15}|[A-Za-z0-9_-]{64})", "dropbox.com/developers"),
    Named("hubspot_key", "HubSpot", ("hubspot", "hapikey"), UUID, "developers.hubspot.com"),
    Named("contentful_token", "Contentful", ("contentful",), "[A-Za-z0-9_-]{43}", "contentful.com/developers"),
    Named("adobe_client_secret", "Adobe", ("adobe",), "[0-9a-fA-F]{32}", "developer.adobe.com"),
    Named(
        "adafruit_key", "Adafruit", ("adafruit", "aio_key"), "(?:aio_)?[A-Za-z0-9_-]{28,32}", "io.adafruit.com/api/docs"
    ),
    Named("here_key", "HERE", ("here_api", "hereapi"), "[A-Za-z0-9_-]{43}", "developer.here.com"),
    Named(
        "openweather_key",
        "OpenWeather",
        ("openweather", "owm_", "weather"),
        "[0-9a-fA-F]{32}",
        "openweathermap.org/api",
    ),
    Named("newsapi_key", "News API", ("newsapi", "news_api"), "[0-9a-fA-F]{32}", "newsapi.org/docs"),
    Named(
        "nytimes_key",
        "New York Times",
        ("nytimes", "nyt_", "new-york-times", "newyorktimes"),
        "[A-Za-z0-9]{32}",
        "developer.nytimes.com",
    ),
    Named("spotify_secret", "Spotify", ("spotify",), "[0-9a-fA-F]{32}", "developer.spotify.com"),
    Named("lastfm_secret", "Last.fm", ("lastfm", "last_fm"), "[0-9a-fA-F]{32}", "last.fm/api"),
    Named("flickr_key", "Flickr", ("flickr",), "[0-9a-fA-F]{32}|[0-9a-fA-F]{16}", "flickr.com/services/api"),
    Named("giphy_key", "Giphy", ("giphy",), "[A-Za-z0-9]{32}", "developers.giphy.com"),
    Named("pexels_key", "Pexels", ("pexels",), "[A-Za-z0-9]{56}", "pexels.com/api"),
    Named("unsplash_key", "Unsplash", ("unsplash",), "[A-Za-z0-9_-]{43}", "unsplash.com/documentation"),
    Named(
        "trello_key",
        "Trello",
        ("trello",),
        "(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{64})",
        "developer.atlassian.com/cloud/trello",
    ),
    Named("todoist_token", "Todoist", ("todoist",), "[0-9a-fA-F]{40}", "developer.todoist.com"),
    Named("pipedrive_token", "Pipedrive", ("pipedrive",), "[0-9a-fA-F]{40}", "developers.pipedrive.com"),
    Named(
        "freshdesk_key",
        "Freshworks",
        ("freshdesk", "freshbooks", "freshworks"),
        "(?:[A-Za-z0-9]{20}|[0-9a-fA-F]{64})",
        "developers.freshdesk.com",
    ),
    Named("squarespace_token", "Squarespace", ("squarespace",), UUID, "developers.squarespace.com"),
    Named(
        "wordpress_secret",
        "WordPress",
        ("wordpress", "wp_"),
        "[A-Za-z0-9]{64}",
        "developer.wordpress.org",
    ),
    Named("kaggle_key", "Kaggle", ("kaggle",), "[0-9a-fA-F]{32}", "kaggle.com/docs/api"),
    Named("steam_key", "Steam", ("steam",), "[0-9A-F]{32}", "partner.steamgames.com/doc/webapi"),
    Named("tmdb_key", "TMDB", ("tmdb", "themoviedb"), "[0-9a-fA-F]{32}", "developer.themoviedb.org"),
    Named("zapier_secret", "Zapier", ("zapier",), "[A-Za-z0-9]{32}", "docs.zapier.com"),
    Named("zoom_secret", "Zoom", ("zoom",), "[A-Za-z0-9]{32,36}", "developers.zoom.us"),
    Named("box_secret", "Box", ("box_client", "boxapp", "box_secret"), "[A-Za-z0-9]{32}", "developer.box.com"),
    Named("yelp_key", "Yelp", ("yelp",), "[A-Za-z0-9_-]{128}", "docs.developer.yelp.com"),
    Named("strava_secret", "Strava", ("strava",), "[0-9a-fA-F]{40}", "developers.strava.com"),
    Named("fitbit_secret", "Fitbit", ("fitbit",), "[0-9a-fA-F]{32}", "dev.fitbit.com"),
)
