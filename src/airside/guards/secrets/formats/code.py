"""Tokens of code hosts, package registries, build services and developers' tools."""

from airside.guards.secrets.checksums import crc32_base62, json_body
from airside.guards.secrets.formats.form import Around, Named, Token
from airside.guards.secrets.shape import mixed, random_looking

UUID = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
TOKENS = (
    Token(
        "github_token",
        "GitHub",
        ("ghp_", "gho_", "ghu_", "ghs_"),
        "[A-Za-z0-9]{36}",
        "github.blog/engineering, new authentication token formats",
        sure=crc32_base62,
    ),
    Token("github_refresh_token", "GitHub", ("ghr_",), "(?:[A-Za-z0-9]{36}|[A-Za-z0-9]{76})", "docs.github.com"),
    Token(
        "github_fine_grained_token", "GitHub", ("github_pat_",), "[A-Za-z0-9]{22}_[A-Za-z0-9]{59}", "docs.github.com"
    ),
    Token(
        "gitlab_token",
        "GitLab",
        ("glpat-", "gldt-", "glft-", "glsoat-", "glimt-", "glagent-", "glptt-", "gloas-", "glffct-", "glwt-"),
        "[A-Za-z0-9_-]{20,70}(?:[.][0-9a-z]{2}[.][0-9a-z]{9})?",
        "docs.gitlab.com/security/tokens",
    ),
    Token(
        "gitlab_runner_token",
        "GitLab",
        ("glrt-", "glrtr-", "GR1348941"),
        "[A-Za-z0-9_-]{20,60}(?:[.][0-9a-z]{2}[.][0-9a-z]{9})?",
        "docs.gitlab.com",
    ),
    Token("gitlab_job_token", "GitLab", ("glcbt-",), "(?:[0-9a-zA-Z]{1,5}_)?[A-Za-z0-9_-]{20,64}", "docs.gitlab.com"),
    Token("gitlab_session", "GitLab", ("_gitlab_session=",), "[0-9a-fA-F]{32}", "docs.gitlab.com"),
    Token(
        "bitbucket_token", "Atlassian", ("ATBB", "ATCTT3xFfG"), "[A-Za-z0-9_=-]{24,260}", "support.atlassian.com", mixed
    ),
    Token("atlassian_token", "Atlassian", ("ATATT3",), "[A-Za-z0-9_=-]{100,260}", "support.atlassian.com"),
    Token(
        "npm_token", "npm", ("npm_",), "[A-Za-z0-9]{36}", "github.blog/changelog, npm access tokens", sure=crc32_base62
    ),
    # A macaroon that begins with the location of its index.
    Token("pypi_token", "PyPI", ("pypi-AgE",), "[A-Za-z0-9_-]{50,}", "the help of the Python package index"),
    Token("rubygems_key", "RubyGems", ("rubygems_",), "[0-9a-fA-F]{48}", "the RubyGems guides"),
    Token("crates_token", "Cargo", ("cio",), "[A-Za-z0-9]{32}", "doc.rust-lang.org/cargo", mixed),
    Token("nuget_key", "NuGet", ("oy2",), "[a-z0-9]{43}", "learn.microsoft.com/nuget", mixed),
    Token("clojars_token", "Clojars", ("CLOJARS_",), "[0-9a-fA-F]{60}", "github.com/clojars/clojars-web/wiki"),
    Token("docker_token", "Docker", ("dckr_pat_", "dckr_oat_"), "[A-Za-z0-9_-]{27,36}", "docs.docker.com/security"),
    Token("jfrog_key", "JFrog", ("AKCp",), "[A-Za-z0-9]{60,80}", "jfrog.com/help"),
    Token("jfrog_reference_token", "JFrog", ("cmVmdGtu",), "[A-Za-z0-9]{56}", "jfrog.com/help"),
    Token(
        "circleci_token", "CircleCI", ("CCIPAT_", "CCIPRJ_"), "[A-Za-z0-9]{20,24}_[0-9a-fA-F]{40}", "circleci.com/docs"
    ),
    Token("buildkite_token", "Buildkite", ("bkua_", "bkct_", "bkaa_"), "[0-9a-fA-F]{40}", "buildkite.com/docs"),
    Token("sonar_token", "Sonar", ("sqp_", "squ_", "sqa_"), "[0-9a-fA-F]{40}", "docs.sonarsource.com"),
    Token("snyk_token", "Snyk", ("snyk_uat.", "snyk_sat."), "[A-Za-z0-9_.-]{30,200}", "docs.snyk.io", mixed),
    Token("postman_key", "Postman", ("PMAK-",), "[0-9a-fA-F]{24}-[0-9a-fA-F]{34}", "learning.postman.com"),
    Token(
        "sourcegraph_token",
        "Sourcegraph",
        ("sgp_",),
        "(?:[0-9a-fA-F]{16}_|local_)?[0-9a-fA-F]{40}",
        "sourcegraph.com/docs",
    ),
    Token("pulumi_token", "Pulumi", ("pul-",), "[0-9a-fA-F]{40}", "pulumi.com/docs"),
    Token("infracost_key", "Infracost", ("ico-",), "[A-Za-z0-9]{32}", "infracost.io/docs"),
    Token("readme_key", "ReadMe", ("rdme_",), "[a-z0-9]{70}", "docs.readme.com"),
    Token("launchdarkly_key", "LaunchDarkly", ("sdk-", "mob-", "api-"), UUID, "launchdarkly.com/docs"),
    Token("linear_key", "Linear", ("lin_api_", "lin_oauth_", "lin_wh_"), "[A-Za-z0-9]{32,64}", "linear.app/developers"),
    Token(
        "figma_token",
        "Figma",
        ("figd_", "figdr_", "figo_", "figor_"),
        "[A-Za-z0-9_-]{38,60}",
        "figma.com/developers",
        mixed,
    ),
    Token(
        "settlemint_token",
        "SettleMint",
        ("sm_pat_", "sm_aat_", "sm_sat_"),
        "[A-Za-z0-9]{16}",
        "console.settlemint.com/documentation",
    ),
    Token("octopus_key", "Octopus Deploy", ("API-",), "[A-Z0-9]{25,28}", "octopus.com/docs", random_looking),
    Token("chromatic_token", "Chromatic", ("chpt_",), "[0-9a-fA-F]{12,15}", "chromatic.com/docs", mixed),
    Token("sourcegraph_cody_token", "Sourcegraph", ("slk_",), "[0-9a-fA-F]{64}", "sourcegraph.com/docs"),
    Token("expo_token", "Expo", ("expo_",), "[A-Za-z0-9_-]{40}", "docs.expo.dev", mixed),
    Token("depot_token", "Depot", ("depot_",), "(?:project|org|user)_[0-9a-fA-F]{64}", "depot.dev/docs"),
    Token(
        "jetbrains_token",
        "JetBrains",
        ("perm:", "perm-"),
        "[A-Za-z0-9=]{6,40}[.][A-Za-z0-9=-]{6,60}[.][A-Za-z0-9]{30,50}",
        "jetbrains.com/help/youtrack",
    ),
    Token(
        "sentry_org_token",
        "Sentry",
        ("sntrys_",),
        "eyJ[A-Za-z0-9+/=_-]{80,400}",
        "docs.sentry.io/api/auth",
        sure=json_body,
    ),
    Token(
        "sentry_user_token", "Sentry", ("sntryu_", "sntrya_", "sntryi_"), "[0-9a-fA-F]{64}", "docs.sentry.io/api/auth"
    ),
)
AROUND = (
    Around(
        "terraform_token",
        "HashiCorp",
        (".atlasv1.",),
        "[A-Za-z0-9]{14}[.]atlasv1[.][A-Za-z0-9_=-]{60,80}",
        "developer.hashicorp.com/terraform",
    ),
)
NAMED = (
    Named(
        "artifactory_key", "JFrog", ("artifactory", "jfrog", "bintray", "xray"), "[A-Za-z0-9]{40,80}", "jfrog.com/help"
    ),
    Named("travis_token", "Travis CI", ("travis",), "[A-Za-z0-9_-]{20,24}", "docs.travis-ci.com"),
    Named("drone_token", "Drone", ("drone",), "[A-Za-z0-9]{32}", "docs.drone.io"),
    Named("codecov_token", "Codecov", ("codecov",), f"(?:{UUID}|[a-z0-9]{{32}})", "docs.codecov.com"),
    Named("coveralls_token", "Coveralls", ("coveralls",), "[A-Za-z0-9]{32,38}", "docs.coveralls.io"),
    Named(
        "codeclimate_token",
        "Code Climate",
        ("codeclimate", "cc_test_reporter"),
        "[0-9a-fA-F]{64}",
        "docs.codeclimate.com",
    ),
    Named("sonar_legacy_token", "Sonar", ("sonar",), "[0-9a-fA-F]{40}", "docs.sonarsource.com"),
    Named(
        "circleci_legacy_token",
        "CircleCI",
        ("circleci", "circle_token", "circle-token"),
        "[0-9a-fA-F]{40}",
        "circleci.com/docs",
    ),
    Named(
        "bitbucket_secret",
        "Atlassian",
        ("bitbucket",),
        "(?:[A-Za-z0-9]{32}|[A-Za-z0-9_=-]{64})",
        "support.atlassian.com",
    ),
    Named(
        "atlassian_legacy_token",
        "Atlassian",
        ("atlassian", "confluence", "jira"),
        "[A-Za-z0-9]{24}",
        "support.atlassian.com",
    ),
    Named("snyk_legacy_token", "Snyk", ("snyk",), UUID, "docs.snyk.io"),
    Named("appveyor_token", "AppVeyor", ("appveyor",), "[a-z0-9]{20}", "appveyor.com/docs"),
    Named(
        "sidekiq_secret",
        "Sidekiq",
        ("bundle_enterprise__contribsys__com", "bundle_gems__contribsys__com"),
        "[0-9a-fA-F]{8}:[0-9a-fA-F]{8}",
        "sidekiq.org",
    ),
    Named("jenkins_token", "Jenkins", ("jenkins",), "(?:11)?[0-9a-fA-F]{32}", "jenkins.io/doc"),
    Named("github_legacy_token", "GitHub", ("github", "gh_token"), "[0-9a-fA-F]{40}", "docs.github.com"),
    Named("gitlab_legacy_token", "GitLab", ("gitlab",), "[A-Za-z0-9_-]{20}", "docs.gitlab.com"),
)
