"""Where settings come from, which wins, and what is said when one is wrong."""

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from journeyman import config
from journeyman.config.sections import SECTIONS
from journeyman.domain.errors import AppError, Code
from journeyman.domain.limits import Limits


def load(
    tmp_path: Path, toml: str = "", env: Mapping[str, str] | None = None, **flags: Any
) -> config.Config:
    """What a data directory with this journeyman.toml means under this environment and flags."""
    if toml:
        (tmp_path / "journeyman.toml").write_text(toml)
    given = {key.replace("__", "."): value for key, value in flags.items()}
    return config.load(
        flags={"data": tmp_path, **given}, environ={"HOME": "/home/alice", **(env or {})}
    )


def refusal(tmp_path: Path, toml: str = "", env: Mapping[str, str] | None = None) -> str:
    with pytest.raises(AppError) as caught:
        load(tmp_path, toml, env)
    assert caught.value.code is Code.INVALID
    return caught.value.message


def origins(loaded: config.Config) -> dict[str, str]:
    return {setting.key: setting.origin for setting in loaded.settings()}


def test_it_runs_with_no_configuration_at_all() -> None:
    loaded = config.load(environ={"HOME": "/home/alice"})
    assert loaded.data == Path("/home/alice/.local/share/journeyman")
    assert loaded.database.url == "sqlite:////home/alice/.local/share/journeyman/journeyman.db"
    assert (loaded.server.host, loaded.server.port) == ("127.0.0.1", 8080)
    assert loaded.public_url == "http://127.0.0.1:8080"
    assert loaded.worker.concurrency == 4
    assert loaded.providers == ()
    assert set(origins(loaded).values()) == {"default"}


def test_the_firewall_is_on_and_takes_more_rules(tmp_path: Path) -> None:
    firewall = load(tmp_path).firewall
    assert (firewall.enabled, firewall.recommended, firewall.allow) == (True, True, ())
    env = {"JOURNEYMAN_FIREWALL_ENABLED": "false", "JOURNEYMAN_FIREWALL_ALLOW": "a.example, *.b"}
    firewall = load(tmp_path, '[firewall]\nallowed_networks = ["10.1.0.0/16"]\n', env).firewall
    assert (firewall.enabled, firewall.allow) == (False, ("a.example", "*.b"))
    assert firewall.allowed_networks == ("10.1.0.0/16",)


def test_a_wrong_rule_of_the_firewall_is_named(tmp_path: Path) -> None:
    said = refusal(tmp_path, '[firewall]\nallow = ["https://a.example/x"]\n')
    assert "'https://a.example/x' is not a rule" in said
    said = refusal(tmp_path, '[firewall]\nallowed_networks = ["10.1.0.1/16"]\n')
    assert "10.1.0.1/16" in said


def test_the_data_directory_follows_xdg() -> None:
    loaded = config.load(environ={"HOME": "/home/alice", "XDG_DATA_HOME": "/big"})
    assert loaded.data == Path("/big/journeyman")


def test_the_data_directory_comes_from_the_environment(tmp_path: Path) -> None:
    loaded = config.load(environ={"JOURNEYMAN_DATA": str(tmp_path)})
    assert loaded.data == tmp_path
    assert origins(loaded)["data"] == "JOURNEYMAN_DATA"


def test_flags_win_over_the_environment_and_that_over_the_file(tmp_path: Path) -> None:
    toml = '[server]\nhost = "0.0.0.0"\nport = 1\n[worker]\nconcurrency = 2\n'
    env = {"JOURNEYMAN_SERVER_PORT": "2", "JOURNEYMAN_WORKER_CONCURRENCY": "3"}
    loaded = load(tmp_path, toml, env, server__port=3)
    assert loaded.server == config.Server(host="0.0.0.0", port=3)
    assert loaded.worker.concurrency == 3
    found = origins(loaded)
    assert found["server.host"] == str(tmp_path / "journeyman.toml")
    assert found["server.port"] == "command line"
    assert found["worker.concurrency"] == "JOURNEYMAN_WORKER_CONCURRENCY"


def test_a_flag_that_is_not_given_changes_nothing(tmp_path: Path) -> None:
    assert load(tmp_path, server__port=None).server.port == 8080


def test_a_named_file_is_read_instead_and_may_say_where_the_data_is(tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text(f'data = "{tmp_path}/elsewhere"\n[server]\nport = 5\n')
    loaded = config.load(file=file, environ={})
    assert loaded.data == tmp_path / "elsewhere"
    assert loaded.server.port == 5
    assert config.load(environ={"JOURNEYMAN_CONFIG": str(file)}).server.port == 5


def test_a_named_file_that_is_missing_is_said(tmp_path: Path) -> None:
    with pytest.raises(AppError, match=r"cannot read .*nowhere\.toml: No such file"):
        config.load(file=tmp_path / "nowhere.toml", environ={})


def test_the_file_in_the_data_directory_cannot_move_it(tmp_path: Path) -> None:
    assert "cannot move it" in refusal(tmp_path, 'data = "/elsewhere"')


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("[server]\nprot = 1", "unknown setting 'server.prot'"),
        ("[servre]\nport = 1", "unknown setting 'servre'"),
        ("[providers.local]\nbase_ulr = 'x'", "did you mean 'providers.local.base_url'?"),
        ("port = 1", "unknown setting 'port'"),
        ("server = 1", "write [server] above its keys"),
        ("[server", "is not valid TOML"),
    ],
)
def test_what_a_file_cannot_mean_is_named(tmp_path: Path, toml: str, says: str) -> None:
    message = refusal(tmp_path, toml)
    assert says in message
    assert str(tmp_path) in message or "did you mean" in message or "[server]" in message


def test_an_unknown_variable_is_named_with_the_nearest_known() -> None:
    with pytest.raises(AppError) as caught:
        config.load(environ={"JOURNEYMAN_SERVER_PROT": "1"})
    expected = (
        "unknown setting 'JOURNEYMAN_SERVER_PROT' in the environment; "
        "did you mean 'JOURNEYMAN_SERVER_PORT'?"
    )
    assert caught.value.message == expected


@pytest.mark.parametrize(
    ("variable", "value", "says"),
    [
        ("JOURNEYMAN_SERVER_PORT", "http", "server.port = 'http' (from JOURNEYMAN_SERVER_PORT)"),
        ("JOURNEYMAN_SERVER_PORT", "70000", "server.port = '70000'"),
        ("JOURNEYMAN_WORKER_SERVER_URL", "agents.example", "worker.server_url"),
        ("JOURNEYMAN_LIMITS_USERS", "alice=3", "limits.users = 'alice=3'"),
        ("JOURNEYMAN_WEBHOOKS_CA_FILE", "/dev/null", "'/dev/null' has no certificates"),
        ("JOURNEYMAN_WEBHOOKS_CA_FILE", "/no/file", "webhooks.ca_file: '/no/file'"),
        ("JOURNEYMAN_CHECKS_ADVISORIES", "/no/dir", "'/no/dir' is no folder; make it"),
        ("JOURNEYMAN_AGENT_INSTRUCTIONS", "/no/file", "'/no/file' cannot be read: No such file"),
        ("JOURNEYMAN_AGENT_INSTRUCTIONS", "/tmp", "'/tmp' cannot be read: Is a directory"),
        ("JOURNEYMAN_WORKER_CONCURRENCY", "0", "worker.concurrency"),
        ("JOURNEYMAN_SANDBOX_MEMORY", "lots", "sandbox.memory = 'lots'"),
        ("JOURNEYMAN_SANDBOX_UID", "0", "sandbox.uid"),
        ("JOURNEYMAN_LOG_LEVEL", "loud", "log.level = 'loud'"),
    ],
)
def test_a_wrong_value_is_named_with_its_origin(variable: str, value: str, says: str) -> None:
    with pytest.raises(AppError) as caught:
        config.load(environ={variable: value})
    assert says in caught.value.message


def test_an_empty_variable_is_not_given() -> None:
    assert config.load(environ={"JOURNEYMAN_SERVER_PORT": ""}).server.port == 8080


@pytest.mark.parametrize(
    ("text", "size"),
    [("512MiB", 512 << 20), ("2G", 2 << 30), ("8 GiB", 8 << 30), ("4194304", 4 << 20)],
)
def test_sizes_may_have_a_unit(text: str, size: int) -> None:
    loaded = config.load(environ={"JOURNEYMAN_SANDBOX_MEMORY": text})
    assert loaded.sandbox.limits.memory_bytes == size


PROVIDER = """\
[providers.local]
kind = "openai-compatible"
base_url = "http://127.0.0.1:11434/v1"
models = ["coder"]
"""


def test_a_provider_needs_no_key(tmp_path: Path) -> None:
    (provider,) = load(tmp_path, PROVIDER).providers
    assert provider == config.Provider(
        name="local",
        kind="openai-compatible",
        base_url="http://127.0.0.1:11434/v1",
        models=("coder",),
    )


def test_a_key_may_be_written_or_in_a_file_or_in_a_variable(tmp_path: Path) -> None:
    secret = tmp_path / "key"
    secret.write_text("sk-1\n")
    for line in ('api_key = "sk-1"', f'api_key_file = "{secret}"', 'api_key_env = "MY_KEY"'):
        loaded = load(tmp_path, PROVIDER + line, {"MY_KEY": "sk-1"})
        assert loaded.providers[0].api_key == "sk-1"
        assert "sk-1" not in repr(loaded)
        assert "sk-1" not in repr(loaded.settings())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('api_key = "a"\napi_key_env = "B"', "keep one of them"),
        ('api_key_env = "ABSENT"', "names 'ABSENT', which is not set"),
        ('api_key_file = "/nowhere/key"', "cannot read the secret in /nowhere/key"),
        ('kind = "telepathy"', "not valid TOML"),
    ],
)
def test_a_key_that_cannot_be_had_is_said(tmp_path: Path, line: str, says: str) -> None:
    assert says in refusal(tmp_path, PROVIDER + line)


def test_a_wrong_key_is_not_repeated(tmp_path: Path) -> None:
    assert config.MASK in refusal(tmp_path, PROVIDER + "api_key = 12345")


def test_a_provider_without_what_it_needs_is_refused(tmp_path: Path) -> None:
    assert "providers.local.models is missing" in refusal(tmp_path, PROVIDER.rsplit("models", 1)[0])
    assert "models is empty" in refusal(tmp_path, PROVIDER.replace('"coder"', ""))
    assert "cannot name a provider" in refusal(tmp_path, PROVIDER.replace("local", "auto"))


def test_openai_variables_make_a_provider_without_any_file() -> None:
    env = {
        "OPENAI_API_KEY": "sk-2",
        "OPENAI_BASE_URL": "http://127.0.0.1:1/v1",
        "OPENAI_MODEL": "a, b",
    }
    (provider,) = config.load(environ=env).providers
    assert (provider.name, provider.base_url) == ("openai", "http://127.0.0.1:1/v1")
    assert (provider.models, provider.api_key) == (("a", "b"), "sk-2")


def test_the_openai_variables_have_defaults_for_openai_only() -> None:
    (provider,) = config.load(environ={"OPENAI_API_KEY": "sk-2"}).providers
    assert provider.base_url == config.OPENAI_URL
    with pytest.raises(AppError, match="say in OPENAI_MODEL"):
        config.load(environ={"OPENAI_API_KEY": "x", "OPENAI_BASE_URL": "http://127.0.0.1:1/v1"})


def test_a_file_that_has_an_openai_provider_wins_over_the_variables(tmp_path: Path) -> None:
    toml = PROVIDER.replace("local", "openai") + 'api_key = "from-file"'
    (provider,) = load(tmp_path, toml, {"OPENAI_API_KEY": "ambient"}).providers
    assert (provider.base_url, provider.api_key) == ("http://127.0.0.1:11434/v1", "from-file")


def test_the_preference_names_what_there_is(tmp_path: Path) -> None:
    loaded = load(tmp_path, PROVIDER + '[models]\npreference = ["local:coder", "script"]')
    assert loaded.models.preference == ("local:coder", "script")
    message = refusal(tmp_path, PROVIDER + '[models]\npreference = ["local:codr"]')
    assert "did you mean 'local:coder'?" in message


def test_the_password_of_a_database_never_shows(tmp_path: Path) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://jm:hunter2@db/jm\n")
    loaded = load(tmp_path, env={"JOURNEYMAN_DATABASE_URL_FILE": str(secret)})
    assert loaded.database.url == "postgresql://jm:hunter2@db/jm"
    assert "hunter2" not in repr(loaded) + repr(loaded.settings())
    assert f"postgresql://jm:{config.MASK}@db/jm" in repr(loaded.settings())


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://jm:a@b/c@db/jm", f"postgresql://jm:{config.MASK}@db/jm"),
        (
            "postgresql://db/jm?user=jm&password=a@b",
            f"postgresql://db/jm?user=jm&password={config.MASK}",
        ),
        ("postgresql://jm@db:5432/jm", "postgresql://jm@db:5432/jm"),
    ],
)
def test_a_password_is_found_where_it_is_written(tmp_path: Path, url: str, shown: str) -> None:
    loaded = load(tmp_path, f'[database]\nurl = "{url}"')
    assert {one.key: one.value for one in loaded.settings()}["database.url"] == shown


def test_no_secret_is_shown(tmp_path: Path) -> None:
    secret = "s3same-s3same-s3same"
    loaded = load(
        tmp_path,
        "[forge]\n"
        f'url = "https://github.com"\nclient_id = "Iv1.app"\nclient_secret = "{secret}"\n'
        f'[metrics]\ntoken = "{secret}"\n[triggers]\ntoken = "{secret}"\nsecret = "{secret}"\n'
        f'[git.credentials]\n"git.example" = "me:{secret}"\n',
    )
    assert secret not in repr(loaded) + repr(loaded.settings())
    shown = {setting.key: setting.value for setting in loaded.settings()}
    for section, made in SECTIONS.items():
        for item in fields(made):
            if not item.repr and item.name != "url":
                assert config.MASK in repr(shown[f"{section}.{item.name}"]), item.name


def test_a_database_of_another_kind_is_refused_without_its_password() -> None:
    with pytest.raises(AppError, match="begins with 'mysql'") as caught:
        config.load(environ={"JOURNEYMAN_DATABASE_URL": "mysql://jm:hunter2@db/jm"})
    assert "hunter2" not in caught.value.message


@pytest.mark.parametrize(
    ("flags", "url"),
    [
        ({"server.host": "0.0.0.0", "server.port": 80}, "http://127.0.0.1:80"),
        ({"server.host": "::1", "server.port": 80}, "http://[::1]:80"),
        ({"server.public_url": "https://code.example/"}, "https://code.example"),
    ],
)
def test_the_public_address_can_be_opened(flags: dict[str, Any], url: str) -> None:
    assert config.load(flags=flags, environ={}).public_url == url


def test_a_client_is_found_in_arguments_then_variables_then_its_file(tmp_path: Path) -> None:
    file = tmp_path / "journeyman" / "client.toml"
    file.parent.mkdir()
    file.write_text('url = "http://file/"\ntoken = "ghp_file"\n')
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert config.load_client(environ=env) == config.Client("http://file", "ghp_file")
    env |= {"JOURNEYMAN_URL": "http://env", "JOURNEYMAN_TOKEN": "ghp_env"}
    assert config.load_client(environ=env) == config.Client("http://env", "ghp_env")
    found = config.load_client(url="http://flag", token="ghp_flag", environ=env)
    assert found == config.Client("http://flag", "ghp_flag")
    assert "ghp_flag" not in repr(found)


def test_a_client_without_anything_has_the_default_server_and_no_token(tmp_path: Path) -> None:
    assert config.load_client(environ={"HOME": str(tmp_path)}) == config.Client()


def test_a_client_token_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("ghp_kept\n")
    env = {"HOME": str(tmp_path), "JOURNEYMAN_TOKEN_FILE": str(tmp_path / "token")}
    assert config.load_client(environ=env).token == "ghp_kept"


def test_a_client_names_what_it_does_not_understand(tmp_path: Path) -> None:
    file = tmp_path / "journeyman" / "client.toml"
    file.parent.mkdir()
    file.write_text('tokn = "ghp_file"\n')
    with pytest.raises(AppError, match="did you mean 'token'"):
        config.load_client(environ={"XDG_CONFIG_HOME": str(tmp_path)})
    with pytest.raises(AppError, match="'localhost:8080' is not an address"):
        config.load_client(url="localhost:8080", environ={"HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://github.com/", "github"),
        ("https://octo.ghe.com", "github"),
        ("https://codeberg.org", "gitea"),
    ],
)
def test_the_kind_of_a_forge_is_told_by_its_address(tmp_path: Path, url: str, kind: str) -> None:
    loaded = load(tmp_path, f'forge = "{url}"\n')
    assert (loaded.forge.url, loaded.forge.kind) == (url.rstrip("/"), kind)
    assert load(tmp_path, f'[forge]\nurl = "{url}"\n').forge == loaded.forge


def test_a_forge_that_its_address_does_not_tell_is_asked_for(tmp_path: Path) -> None:
    said = refusal(tmp_path, env={"JOURNEYMAN_FORGE_URL": "https://git.example"})
    assert "forge.kind" in said
    assert "'https://git.example'" in said
    for url in ("ssh://git@git.example/srv", "/srv/git"):
        said = refusal(tmp_path, env={"JOURNEYMAN_FORGE_URL": url})
        assert "journeyman repo add OWNER/NAME URL --upstream" in said
    given = {"JOURNEYMAN_FORGE_URL": "https://git.example", "JOURNEYMAN_FORGE_KIND": "github"}
    assert load(tmp_path, env=given).forge.kind == "github"
    for env in (
        {"JOURNEYMAN_FORGE_KIND": "github"},
        {"JOURNEYMAN_FORGE_URL": "ftp://x", "JOURNEYMAN_FORGE_KIND": "github"},
        {"JOURNEYMAN_FORGE_URL": "https://a:b@x", "JOURNEYMAN_FORGE_KIND": "github"},
        {"JOURNEYMAN_FORGE_URL": "https://github.com", "JOURNEYMAN_FORGE_CA_FILE": "/nothing"},
        {"JOURNEYMAN_FORGE_URL": "https://github.com", "JOURNEYMAN_FORGE_CLIENT_ID": "x"},
        {"JOURNEYMAN_FORGE_CLIENT_ID": "x", "JOURNEYMAN_FORGE_CLIENT_SECRET": "y"},
    ):
        assert "forge." in refusal(tmp_path, env=env)


def test_every_setting_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
    for setting in config.load(environ={}).settings():
        assert f"`{setting.key}`" in page, setting.key
        assert f"`JOURNEYMAN_{setting.key.upper().replace('.', '_')}`" in page, setting.key


def test_a_container_engine_and_its_images(tmp_path: Path) -> None:
    text = '[sandbox]\nbackend = "podman"\nimage = "a:1"\n[sandbox.images]\n"octo/app" = "b:2"\n'
    sandbox = load(tmp_path, text).sandbox
    assert (sandbox.backend, sandbox.image, sandbox.images) == (
        "podman",
        "a:1",
        {"octo/app": "b:2"},
    )
    env = {
        "JOURNEYMAN_SANDBOX_IMAGES": "octo/app=b:2, x/y=c",
        "JOURNEYMAN_SANDBOX_BACKEND": "docker",
    }
    assert load(tmp_path, "", env).sandbox.images == {"octo/app": "b:2", "x/y": "c"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('image = "a:1"', "sandbox.image is for containers"),
        ('backend = "lxc"', "sandbox.backend = 'lxc'"),
        ('backend = "docker"\nimages = {app = "b"}', "'app' is not OWNER/NAME"),
        ('backend = "docker"\nimages = "b"', "sandbox.images"),
    ],
)
def test_a_wrong_container_setting_is_named(tmp_path: Path, text: str, said: str) -> None:
    assert said in refusal(tmp_path, f"[sandbox]\n{text}\n")


def test_limits_may_be_those_of_a_repository_or_a_user(tmp_path: Path) -> None:
    (tmp_path / "journeyman.toml").write_text(
        "[limits]\nmost_minutes = 120\n"
        '[limits.repositories."Alice/Hello"]\nminutes = 90\nsteps = 100\n'
        "[limits.users.bob]\ncredits = 50.5\n"
    )
    allowance = config.load(flags={"data": str(tmp_path)}, environ={}).limits.allowance
    assert allowance.most.minutes == 120
    assert allowance.repositories == {"alice/hello": Limits(minutes=90, steps=100)}
    assert allowance.users == {"bob": Limits(minutes=None, credits=50.5)}
    environ = {"JOURNEYMAN_LIMITS_USERS": '{"bob": {"credits": 50.5}}'}
    assert config.load(environ=environ).limits.allowance.users == allowance.users


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("[limits.users.bob]\nminuts = 1", "limits.users.bob has 'minuts'; it may have minutes,"),
        ("[limits.users.bob]\nminutes = -1", "limits.minutes is -1"),
        ("[limits.users.bob]\nsteps = 1000000000000", "give a number from 0 to 999999999999"),
        ("[limits.users.bob]\nminutes = 'long'", "limits.users = "),
        ("[limits]\nusers = 3", "limits.users = 3"),
        ("[limits]\nmost_steps = -1", "limits.most_steps = -1"),
        ("[limits]\nmost_step = 1", "did you mean 'limits.most_steps'"),
    ],
)
def test_wrong_limits_are_named(tmp_path: Path, written: str, says: str) -> None:
    (tmp_path / "journeyman.toml").write_text(written)
    with pytest.raises(AppError) as caught:
        config.load(flags={"data": str(tmp_path)}, environ={})
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('mode = "x"', r"acp\.x\.command is missing"),
        ('command = ["x"]\nfolder = ["/opt"]', r"did you mean 'acp\.x\.folders'"),
        ('command = ["x"]\nfolders = ["opt"]', "'opt' is not a whole path"),
        ('command = ["x"]\nfolders = ["/tmp"]', "a sandbox has its own '/tmp'"),
        ('command = ["x"]\nmodel = "a:b"', "'a:b', which no provider serves"),
        ('command = ["x"]\nenv = {A = "{url}"}', r"say in acp\.x\.model whose"),
        ('command = ["x"]\npermissions = "maybe"', "maybe"),
    ],
)
def test_an_agent_of_others_that_is_wrong_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(AppError, match=said):
        load(tmp_path, f"[acp.x]\n{text}\n")


def test_what_an_agent_of_others_is_given_is_not_shown(tmp_path: Path) -> None:
    loaded = load(tmp_path, '[acp.x]\ncommand = ["x", "acp"]\nenv = {KEY = "s3same"}\n')
    assert loaded.acp[0].env == {"KEY": "s3same"}
    shown = {setting.key: setting.value for setting in loaded.settings()}
    assert (shown["acp.x.command"], shown["acp.x.env"]) == (["x", "acp"], {"KEY": "********"})
    assert "s3same" not in repr(loaded)
