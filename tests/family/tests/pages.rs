//! The commands of the documentation, run as they are written there.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use runtime::Clock;
use serde_json::json;
use testkit::{Layout, Mode, SignIn, TestFamily, binary, note_secret, report_missing};
use workload::testing::SpiffeAuthority;

/// Blocks with one of these start a server, or need a file, a code or another program.
const NOT_RUN: [&str; 6] =
    ["cargo ", "doorward server", "auth-app import", "OCIS_MTLS_", "authorization_code", "auth-app --help"];

fn read(page: &str) -> String {
    let path = format!("{}/../../docs/{page}.md", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The shell blocks of a page, and the commands in the first column of its tables.
fn commands(page: &str) -> Vec<String> {
    let text = read(page);
    let blocks = text.split("\n```sh\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `doorward ")?.split('`').next());
    let all = blocks.map(str::to_owned).chain(rows.map(|arguments| format!("doorward {arguments}")));
    all.filter(|commands| !NOT_RUN.iter().any(|part| commands.contains(part))).collect()
}

/// Runs the commands of a page against a family, each block in a shell of its own with `input` on standard input. `changes` are
/// what a test has otherwise: a page that no longer says the first part of one has drifted from its test. Returns what each block prints.
async fn run(
    family: &TestFamily,
    page: &str,
    input: &impl AsyncFn(&str) -> String,
    changes: &[(&str, &str)],
) -> Vec<String> {
    let (found, mut printed) = (commands(page), Vec::new());
    for (written, _) in changes {
        assert!(found.iter().any(|commands| commands.contains(written)), "docs/{page}.md does not say {written:?}");
    }
    let programs = binary("doorward").parent().expect("a folder").display().to_string();
    for commands in found {
        let input = input(&commands).await;
        let script = changes.iter().fold(commands.clone(), |script, (written, real)| script.replace(written, real));
        let variables = family.layout.variables().clone();
        let path = format!("{programs}:/usr/local/bin:/usr/bin:/bin");
        let shell = tokio::task::spawn_blocking(move || {
            let mut shell = Command::new("sh")
                .args(["-e", "-c", &script])
                .env_clear()
                .envs(variables)
                .env("PATH", path)
                .env("NO_PROXY", "*")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("a shell can be started");
            // a command that reads no input may have closed it already
            let _ = shell.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
            shell.wait_with_output().expect("a shell ends")
        });
        let output = shell.await.expect("the commands end");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "docs/{page}.md: {commands}\n{errors}");
        printed.push(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    printed
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_the_quickstart_page_succeed() {
    let family = TestFamily::start("pages-quickstart", Mode::OneProcess).await;
    let edge = format!("https://{}", family.layout.variables()["PROXY_HTTP_ADDR"]);
    let changes = [
        ("user delete niels", "user delete niels --yes"),
        ("https://localhost:9200", edge.as_str()),
        // the family of a test has its administrator
        ("user add admin --mail admin@", "user add chief --mail chief@"),
    ];
    let password = family.layout.password.clone();
    run(&family, "quickstart", &async |_: &str| password.clone(), &changes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_the_app_tokens_page_succeed() {
    let family = TestFamily::start_empty(Layout::new("pages-app-tokens", false), Mode::OneProcess).await;
    let http = family.layout.variables()["AUTH_APP_HTTP_ADDR"].clone();
    let changes = [
        ("--mail einstein@example.org --generate", "--mail einstein@example.org --password-stdin"),
        ("--request POST", "--fail-with-body --silent --request POST"),
        ("127.0.0.1:9247", http.as_str()),
        ("revoke --all-of einstein", "revoke --all-of einstein --yes"),
    ];
    let password = family.layout.password.clone();
    let input = async |commands: &str| {
        if commands.contains("--type appauth") { family.app_token("einstein").await } else { password.clone() }
    };
    run(&family, "app-tokens", &input, &changes).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_the_sign_in_page_succeed() {
    let family = TestFamily::start("pages-sign-in", Mode::OneProcess).await;
    let changes = [("client remove wiki", "client remove wiki --yes")];
    run(&family, "sign-in", &async |_: &str| String::new(), &changes).await;
}

/// The policy for workloads on a page, without how issuers are reached: the files that are named there are those of a pod.
fn policy_of(page: &str) -> String {
    let text = read(page);
    let blocks = text.split("\n```yaml\n").skip(1).filter_map(|rest| rest.split("\n```").next());
    let mut policies = blocks.filter(|block| block.contains("callers:"));
    let policy = policies.next().unwrap_or_else(|| panic!("docs/{page}.md has no policy"));
    policy.split("issuers:").next().unwrap_or_default().to_owned()
}

/// Whether there is a program by which the pages read JSON.
fn reads_json() -> bool {
    let is_there = Command::new("jq").arg("--version").output().is_ok();
    if !is_there {
        report_missing("jq", "install the package jq");
    }
    is_there
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_the_workload_identity_page_succeed() {
    if !reads_json() {
        return;
    }
    let mut layout = Layout::new("pages-workloads", false);
    let site = SignIn::configure(&mut layout, "");
    let authority = SpiffeAuthority::new("example.org");
    let now = Clock::system().now();
    let svid = |path: &str, audience: &str| {
        let token = authority.svid(path, audience, Duration::from_mins(30), now);
        note_secret(&token);
        token
    };
    let token = svid("/ns/mail/sa/indexer", "doorward");
    // as spire-agent prints it
    let fetched = json!([{ "svids": [{ "svid": token }] }]).to_string();
    let file = |name: &str, text: &str| {
        let path = layout.folder().join(name);
        fs::write(&path, text).expect("writes");
        path.display().to_string()
    };
    let [bundle, policy, token, fetched] = [
        file("bundle.json", &authority.bundle()),
        file("policy.yaml", &policy_of("workload-identity").replace("users: [anna]", "users: [einstein]")),
        file("token", &token),
        file("svids.json", &fetched),
    ];
    layout.set("OCIS_SPIFFE_TRUST_DOMAINS", &format!("example.org={bundle}"));
    layout.set("OCIS_WORKLOAD_POLICY_FILE", &policy);
    layout.set("SVID", &svid("/billing", &site.issuer));
    let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
    let socket = "export SPIFFE_ENDPOINT_SOCKET=unix:///run/spire/agent.sock";
    let (checked, token) = (format!("{socket}\ndoorward config check"), format!("--token-file {token}"));
    let (fetched, endpoint) = (format!("cat {fetched}"), format!("{}/konnect", site.issuer));
    let changes = [
        (socket, checked.as_str()),
        ("--token-file token", token.as_str()),
        ("spire-agent api fetch jwt -audience doorward -output json", fetched.as_str()),
        ("username:anna", "username:einstein"),
        ("https://cloud.example.org/konnect", endpoint.as_str()),
    ];
    let printed = run(&family, "workload-identity", &async |_: &str| String::new(), &changes).await;
    let [checked, explained, authenticated, answered] = printed.as_slice() else { panic!("{printed:?}") };
    assert!(checked.contains("can be used"), "{checked}");
    let entry = "\nentry 1   may act for users einstein; groups 4c510ada-c86b-4815-8820-42cdf82c3d51; roles guest";
    assert!(explained.contains(entry), "{explained}");
    assert!(authenticated.contains("einstein"), "{authenticated}");
    assert!(answered.contains("access_token"), "{answered}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_the_replace_machine_key_page_succeed() {
    if !reads_json() {
        return;
    }
    let mut layout = Layout::new("pages-machine-key", false);
    let [audit, policy] = ["audit.log", "workloads.yaml"].map(|name| layout.folder().join(name));
    fs::write(&policy, policy_of("replace-machine-key")).expect("writes");
    layout.set("OCIS_AUDIT_LOG_FILE", &audit.display().to_string());
    let family = TestFamily::start_with(layout, Mode::OneProcess, |context| context).await;
    family.authenticate("machine", "einstein", &family.layout.machine_key).await.expect("is accepted");
    let (audit, policy) = (audit.display().to_string(), policy.display().to_string());
    let changes = [("audit.log", audit.as_str()), ("/etc/doorward/workloads.yaml", policy.as_str())];
    let printed = run(&family, "replace-machine-key", &async |_: &str| String::new(), &changes).await;
    let [callers, checked] = printed.as_slice() else { panic!("{printed:?}") };
    assert_eq!(callers.split_whitespace().collect::<Vec<_>>(), ["1", "machine"], "who uses the key, and how often");
    assert!(checked.contains("can be used"), "{checked}");
}
