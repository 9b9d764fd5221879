use super::*;
use crate::host::{exit_code, in_one_line};
use crate::start::StartError;
use crate::{App, Listeners};
use config::{Debug, Grpc, Identity, Log, Section, Tracing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

struct Sample;

#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
struct Config {
    log: Log,
    tracing: Tracing,
    debug: Debug,
    grpc: Grpc,
}

impl Section for Config {
    fn sections(&self) -> Vec<(&'static str, &dyn Section)> {
        vec![("grpc", &self.grpc)]
    }
}

impl Service for Sample {
    const IDENTITY: Identity = Identity { name: "sample", prefix: "SAMPLE" };
    const ABOUT: &'static str = "A sample.";
    type Config = Config;

    fn listeners(config: &Config) -> Listeners<'_> {
        let Config { log, tracing, debug, grpc } = config;
        Listeners { log, tracing, debug, grpc: Some(grpc), http: None, mtls: None }
    }

    async fn build(_config: Config, _context: Context) -> Result<App, BoxError> {
        Ok(App::default())
    }
}

fn code(line: &str, environment: Environment) -> (u8, String) {
    let matches = command::<Sample>().try_get_matches_from(line.split(' ')).expect("is understood");
    match run::<Sample>(&matches, environment) {
        Ok(()) => (0, String::new()),
        Err(problem) => (exit_code(problem.as_ref()), in_one_line(&problem.to_string())),
    }
}

fn nowhere() -> Environment {
    Environment::from([("OCIS_CONFIG_DIR", "/nonexistent")])
}

#[test]
fn the_command_line_is_sound() {
    command::<Sample>().debug_assert();
}

#[test]
fn usage_is_explained() {
    let help = command::<Sample>().render_long_help().to_string();
    for word in ["A sample.", "server", "health", "version", "config"] {
        assert!(help.contains(word), "{help}");
    }
    let asked = command::<Sample>().try_get_matches_from(["sample", "--version"]).expect_err("is printed");
    assert!(!asked.use_stderr());
    let mistaken = command::<Sample>().try_get_matches_from(["sample", "serve"]).expect_err("is refused");
    assert!(mistaken.use_stderr());
}

#[test]
fn a_bad_configuration_is_64_and_one_line() {
    let environment = nowhere().with("SAMPLE_LOG_LEVEL", "loud");
    for line in ["sample config check", "sample config show", "sample health", "sample server"] {
        let (code, text) = code(line, environment.clone());
        assert_eq!(code, 64, "{line}: {text}");
        assert!(text.contains("SAMPLE_LOG_LEVEL"), "{text}");
    }
    let plain = nowhere().with("SAMPLE_GRPC_ADDR", "0.0.0.0:0");
    assert_eq!(code("sample server", plain).0, 64);
}

#[test]
fn configuration_is_to_blame_however_deep_it_is_buried() {
    #[derive(Debug, thiserror::Error)]
    #[error("cannot reach the directory")]
    struct Wrapped(#[source] crate::client::EndpointError);
    let buried = Wrapped(crate::client::EndpointError::Malformed("x".into()));
    assert_eq!(StartError::Build(buried.into()).exit_code(), 64);
    assert_eq!(StartError::Build("no database".into()).exit_code(), 1);
}

#[test]
fn health_fails_if_the_service_does_not_run() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address");
    let (code, text) = code("sample health", nowhere().with("SAMPLE_DEBUG_ADDR", free.to_string()));
    assert_eq!(code, 1, "{text}");
    assert_eq!(self::code("sample health", nowhere()).0, 1, "the debug server is off");
}

/// With TLS it has a temporary certificate here.
#[tokio::test(flavor = "multi_thread")]
async fn health_asks_the_running_service() {
    for tls in ["false", "true"] {
        let environment = nowhere().with("OCIS_DEBUG_TLS_ENABLED", tls);
        let context = Context::new(environment.clone().with("SAMPLE_DEBUG_ADDR", "127.0.0.1:0"));
        let running = start::<Sample>(&context).await.expect("starts");
        let addr = running.debug.expect("a debug server").to_string();
        let asked = environment.with("SAMPLE_DEBUG_ADDR", addr);
        let asked = tokio::task::spawn_blocking(move || code("sample health", asked));
        assert_eq!(asked.await.expect("no panic"), (0, String::new()), "TLS: {tls}");
        running.stop().await;
    }
}
