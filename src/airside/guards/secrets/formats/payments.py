"""Keys of payment, banking, markets and shops, and the private keys of coins."""

from airside.guards.secrets.checksums import base58check
from airside.guards.secrets.formats.form import Named, Token
from airside.guards.secrets.shape import mixed

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
TOKENS = (
    Token(
        "stripe_key",
        "Stripe",
        ("sk_live_", "sk_test_", "rk_live_", "rk_test_", "sk_prod_", "rk_prod_"),
        "[A-Za-z0-9]{10,99}",
        "docs.stripe.com/keys",
        mixed,
    ),
    Token("stripe_webhook_secret", "Stripe", ("whsec_",), "[A-Za-z0-9+/]{32,64}={0,2}", "docs.stripe.com/webhooks"),
    Token("square_token", "Square", ("EAAA",), "[A-Za-z0-9_+=-]{60}", "developer.squareup.com"),
    Token("square_oauth_token", "Square", ("sq0atp-",), "[A-Za-z0-9_-]{22}", "developer.squareup.com"),
    Token("square_oauth_secret", "Square", ("sq0csp-",), "[A-Za-z0-9_-]{43}", "developer.squareup.com"),
    Token(
        "shopify_token",
        "Shopify",
        ("shpat_", "shpca_", "shppa_", "shpss_", "shptka_"),
        "[0-9a-fA-F]{32}",
        "shopify.dev/docs/api",
    ),
    Token(
        "braintree_token",
        "Braintree",
        ("access_token$",),
        "(?:production|sandbox)[$][0-9a-z]{16}[$][0-9a-fA-F]{32}",
        "developer.paypal.com/braintree",
    ),
    Token("adyen_key", "Adyen", ("AQE",), "[a-z][A-Za-z0-9+/=-]{90,250}", "docs.adyen.com", mixed),
    Token(
        "plaid_token", "Plaid", ("access-sandbox-", "access-development-", "access-production-"), UUID, "plaid.com/docs"
    ),
    Token(
        "flutterwave_key",
        "Flutterwave",
        ("FLWSECK-", "FLWSECK_TEST-", "FLWSECK_LIVE-"),
        "[0-9a-zA-Z]{32}(?:-X)?",
        "developer.flutterwave.com",
    ),
    Token("paystack_key", "Paystack", ("sk_live_", "sk_test_"), "[0-9a-fA-F]{40}", "paystack.com/docs"),
    Token("razorpay_key", "Razorpay", ("rzp_live_", "rzp_test_"), "[A-Za-z0-9]{14}", "razorpay.com/docs"),
    Token("mollie_key", "Mollie", ("live_", "test_"), "[A-Za-z0-9]{30}", "docs.mollie.com", mixed),
    Token("lob_key", "Lob", ("live_", "test_"), "[0-9a-fA-F]{35}", "docs.lob.com"),
    Token("easypost_key", "EasyPost", ("EZAK", "EZTK"), "[A-Za-z0-9]{54}", "docs.easypost.com"),
    Token("shippo_token", "Shippo", ("shippo_live_", "shippo_test_"), "[0-9a-fA-F]{40}", "docs.goshippo.com"),
    Token("duffel_token", "Duffel", ("duffel_live_", "duffel_test_"), "[A-Za-z0-9_=-]{43}", "duffel.com/docs"),
    Token("gocardless_token", "GoCardless", ("live_",), "[A-Za-z0-9_=-]{40}", "developer.gocardless.com", mixed),
    Token(
        "paddle_key",
        "Paddle",
        ("pdl_live_apikey_", "pdl_sdbx_apikey_"),
        "[a-z0-9]{26}_[A-Za-z0-9]{22}_[A-Za-z0-9]{3}",
        "developer.paddle.com",
    ),
    Token("checkout_key", "Checkout.com", ("sk_sbox_", "sk_"), "[a-z2-7]{26}[a-z0-9*#$=]", "checkout.com/docs", mixed),
    Token("coinbase_key_name", "Coinbase", ("organizations/",), UUID + "/apiKeys/" + UUID, "docs.cdp.coinbase.com"),
    Token("amazon_mws_token", "Amazon", ("amzn.mws.",), UUID, "developer-docs.amazon.com/sp-api"),
    Token("amazon_sp_secret", "Amazon", ("amzn1.oa2-cs.v1.",), "[0-9a-fA-F]{64}", "developer-docs.amazon.com/sp-api"),
    Token(
        "amazon_refresh_token",
        "Amazon",
        ("Atzr|",),
        "[A-Za-z0-9_+/=-]{100,600}",
        "developer.amazon.com/docs/login-with-amazon",
    ),
    Token(
        "defined_networking_token",
        "Defined Networking",
        ("dnkey-",),
        "[a-z0-9=_-]{26}-[a-z0-9=_-]{52}",
        "docs.defined.net",
    ),
    Token(
        "bitcoin_private_key",
        "Bitcoin",
        ("5H", "5J", "5K", "Kw", "Kx", "Ky", "Kz", "L1", "L2", "L3", "L4", "L5"),
        "[1-9A-HJ-NP-Za-km-z]{49,50}",
        "en.bitcoin.it/wiki/Wallet_import_format",
        base58check,
    ),
    Token(
        "bitcoin_extended_key",
        "Bitcoin",
        ("xprv", "yprv", "zprv", "tprv"),
        "[1-9A-HJ-NP-Za-km-z]{107,108}",
        "BIP 32",
        base58check,
    ),
)
NAMED = (
    Named("paypal_secret", "PayPal", ("paypal",), "[A-Za-z0-9_-]{80}", "developer.paypal.com"),
    Named("braintree_key", "Braintree", ("braintree",), "[0-9a-fA-F]{32}", "developer.paypal.com/braintree"),
    Named("plaid_secret", "Plaid", ("plaid",), "[0-9a-fA-F]{30}", "plaid.com/docs"),
    Named(
        "coinbase_secret",
        "Coinbase",
        ("coinbase",),
        "(?:[A-Za-z0-9_-]{64}|[A-Za-z0-9+/]{86}==)",
        "docs.cdp.coinbase.com",
    ),
    Named("binance_secret", "Binance", ("binance",), "[A-Za-z0-9]{64}", "developers.binance.com"),
    Named("kraken_secret", "Kraken", ("kraken",), "(?:[A-Za-z0-9/=_+-]{80,90}|[A-Za-z0-9+/]{56})", "docs.kraken.com"),
    Named("kucoin_secret", "KuCoin", ("kucoin",), UUID, "kucoin.com/docs"),
    Named("bittrex_secret", "Bittrex", ("bittrex",), "[0-9a-fA-F]{32}", "bittrex.github.io"),
    Named(
        "ethereum_private_key",
        "Ethereum",
        ("private_key", "privatekey", "private-key", "priv_key", "deployer", "wallet", "mnemonic"),
        "(?:0x)?[0-9a-fA-F]{64}",
        "ethereum.org/developers/docs/accounts",
    ),
    Named("infura_key", "Infura", ("infura",), "[0-9a-fA-F]{32}", "docs.infura.io"),
    Named("etherscan_key", "Etherscan", ("etherscan", "bscscan", "polygonscan"), "[A-Z0-9]{34}", "docs.etherscan.io"),
    Named(
        "finicity_secret", "Finicity", ("finicity",), "(?:[0-9a-fA-F]{32}|[A-Za-z0-9]{20})", "developer.mastercard.com"
    ),
    Named("finnhub_key", "Finnhub", ("finnhub",), "[a-z0-9]{20,40}", "finnhub.io/docs"),
    Named(
        "alphavantage_key",
        "Alpha Vantage",
        ("alphavantage", "alpha_vantage"),
        "[A-Z0-9]{16}",
        "alphavantage.co/documentation",
    ),
    Named("polygon_key", "Polygon.io", ("polygon",), "[A-Za-z0-9_]{32}", "polygon.io/docs"),
    Named("etsy_key", "Etsy", ("etsy",), "[a-z0-9]{24}", "developers.etsy.com"),
    Named("ebay_secret", "eBay", ("ebay",), "(?:PRD|SBX)-[0-9a-fA-F]{12}(?:-[0-9a-fA-F]{4}){4}", "developer.ebay.com"),
    Named("bigcommerce_token", "BigCommerce", ("bigcommerce",), "[a-z0-9]{31}", "developer.bigcommerce.com"),
    Named(
        "woocommerce_secret",
        "WooCommerce",
        ("woocommerce", "consumer_secret", "consumer_key"),
        "c[sk]_[0-9a-fA-F]{40}",
        "woocommerce.github.io",
    ),
)
