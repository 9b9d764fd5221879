use authn::role;
use authn::testing::user;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::workload::Proof;

const ISSUER: &str = "https://ci.example.org";
const CLUSTER: &str = "https://kubernetes.default.svc.cluster.local";
const INDEXER: &str = "spiffe://example.org/ns/mail/sa/indexer";

const POLICY: &str = "
callers:
  - identity: spiffe://example.org/ns/mail/sa/indexer
    audience: [doorward]
    may_act_for: { users: ['*'], groups: [staff], roles: [user] }
    scopes: [user]
    lifetime: 5m
  - identity: backup.example.org
    may_act_for: { users: [anna] }
  - issuer: https://kubernetes.default.svc.cluster.local
    audience: [doorward, other]
    namespace: batch
    name: reporter
    service_account: backup
  - issuer: https://kubernetes.default.svc.cluster.local
    audience: [doorward]
    namespace: jobs
    name: '*'
    may_act_for: { users: [anna] }
  - issuer: https://ci.example.org
    audience: [doorward]
    identity: 'repo:acme/site:ref:refs/heads/main'
    claims: { environment: production }
    may_act_for: { users: [deploy-bot] }
  - issuer: https://ci.example.org
    audience: [https://cloud.example.org]
    identity: 'repo:acme/site:*'
    client: site-deployer
issuers:
  - issuer: https://kubernetes.default.svc.cluster.local
    ca_file: /etc/doorward/cluster-ca.pem
    max_token_lifetime: 2h
";

fn parse(text: &str) -> Result<Policy, String> {
    Policy::parse(text, &["example.org".to_owned()])
}

fn policy() -> Policy {
    parse(POLICY).expect("a policy")
}

fn workload(proof: Proof, issuer: &str, identity: &str, audience: &str) -> Workload {
    Workload { proof, issuer: issuer.into(), audience: audience.into(), ..Workload::certificate(identity) }
}

fn of_kubernetes(namespace: &str, name: &str, audience: &str) -> Workload {
    let subject = format!("system:serviceaccount:{namespace}:{name}");
    Workload {
        namespace: Some(namespace.into()),
        name: Some(name.into()),
        ..workload(Proof::Kubernetes, CLUSTER, &subject, audience)
    }
}

/// A user of a directory that knows roles.
fn person(login: &str) -> User {
    user(login).with_roles(vec![role::USER.to_owned()])
}

/// The number of the entry that allows it.
fn entry(policy: &Policy, workload: &Workload, act: Act<'_>) -> Option<usize> {
    match policy.decide(workload, act) {
        Decision::Allowed(entry) => Some(entry.number()),
        Decision::Denied | Decision::RolesUnknown => None,
    }
}

/// Row [M17](../../../../docs/security-requirements.md#m17).
#[test]
fn request_that_no_entry_matches_is_denied() {
    let (policy, anna) = (policy(), person("anna"));
    let svid = workload(Proof::JwtSvid, "spiffe://example.org", INDEXER, "doorward");
    assert_eq!(entry(&policy, &svid, Act::User(&anna)), Some(1));
    assert_eq!(entry(&policy, &svid, Act::ServiceAccount("")), None);
    assert_eq!(entry(&policy, &svid, Act::Client("site-deployer")), None);
    let wrong = [
        Workload { audience: "other".into(), ..svid.clone() },
        Workload { identity: "spiffe://example.org/ns/mail/sa/other".into(), ..svid.clone() },
        Workload { identity: "spiffe://partner.org/ns/mail/sa/indexer".into(), ..svid.clone() },
        Workload { proof: Proof::Oidc, ..svid.clone() },
        Workload { proof: Proof::Kubernetes, ..svid },
    ];
    for workload in wrong {
        assert_eq!(entry(&policy, &workload, Act::User(&anna)), None, "{workload:?}");
    }
    assert_eq!(
        entry(&Policy::default(), &of_kubernetes("batch", "reporter", "doorward"), Act::ServiceAccount("")),
        None
    );
}

#[test]
fn certificate_needs_no_audience_and_dns_name_fits_certificates_only() {
    let (policy, anna) = (policy(), person("anna"));
    let certificate = |name| workload(Proof::Certificate, "", name, "");
    assert_eq!(entry(&policy, &certificate(INDEXER), Act::User(&anna)), Some(1));
    assert_eq!(entry(&policy, &certificate("Backup.example.org"), Act::User(&anna)), Some(2));
    assert_eq!(entry(&policy, &certificate("system:serviceaccount:jobs:x"), Act::User(&anna)), None);
    for proof in [Proof::JwtSvid, Proof::Oidc, Proof::Kubernetes] {
        let token = workload(proof, ISSUER, "backup.example.org", "doorward");
        assert_eq!(entry(&policy, &token, Act::User(&anna)), None, "{proof:?}");
    }
}

/// Rows [M14](../../../../docs/security-requirements.md#m14) and [M17](../../../../docs/security-requirements.md#m17).
#[test]
fn kubernetes_entry_needs_namespace_name_issuer_and_audience() {
    let (policy, anna) = (policy(), person("anna"));
    let reporter = of_kubernetes("batch", "reporter", "other");
    for account in ["", "backup"] {
        assert_eq!(entry(&policy, &reporter, Act::ServiceAccount(account)), Some(3), "{account}");
    }
    assert_eq!(entry(&policy, &reporter, Act::ServiceAccount("restore")), None);
    assert_eq!(entry(&policy, &of_kubernetes("jobs", "x", "doorward"), Act::User(&anna)), Some(4));
    for wrong in [
        of_kubernetes("batch", "other", "doorward"),
        of_kubernetes("other", "reporter", "doorward"),
        of_kubernetes("batch", "reporter", "another"),
        Workload { issuer: ISSUER.into(), ..reporter.clone() },
        Workload { proof: Proof::Oidc, ..reporter.clone() },
        Workload { namespace: None, ..reporter.clone() },
        Workload { name: None, ..reporter },
    ] {
        assert_eq!(entry(&policy, &wrong, Act::ServiceAccount("backup")), None, "{wrong:?}");
    }
    let nameless = Workload { name: None, ..of_kubernetes("jobs", "x", "doorward") };
    assert_eq!(entry(&policy, &nameless, Act::User(&anna)), None, "any name is a name");
}

#[test]
fn token_of_an_issuer_is_known_by_its_subject_and_claims() {
    let (policy, bot) = (policy(), person("deploy-bot"));
    let main = "repo:acme/site:ref:refs/heads/main";
    let token = workload(Proof::Oidc, ISSUER, main, "doorward");
    assert_eq!(entry(&policy, &token, Act::User(&bot)), None, "the claim is missing");
    let with = |text: &str| {
        let claims = [("environment".to_owned(), text.to_owned())].into();
        Workload { claims, ..token.clone() }
    };
    assert_eq!(entry(&policy, &with("production"), Act::User(&bot)), Some(5));
    assert_eq!(entry(&policy, &with("Production"), Act::User(&bot)), None);

    let client = |subject: &str| {
        let token = workload(Proof::Oidc, ISSUER, subject, "https://cloud.example.org");
        entry(&policy, &token, Act::Client("site-deployer"))
    };
    assert_eq!(client(main), Some(6));
    for subject in ["repo:acme/site:", "repo:acme/site", "repo:acme/site2:x", "REPO:acme/site:x"] {
        assert_eq!(client(subject), None, "{subject}");
    }
    assert_eq!(entry(&policy, &token, Act::Client("site-deployer")), None, "of another audience");
}

/// Row [M17](../../../../docs/security-requirements.md#m17).
#[test]
fn first_entry_that_matches_decides() {
    let text = "
callers:
  - { identity: spiffe://example.org/*, may_act_for: { users: [ben] }, lifetime: 10s }
  - { identity: spiffe://example.org/*, may_act_for: { users: ['*'] }, scopes: [profile], lifetime: 1h }
  - { identity: spiffe://example.org/*, may_act_for: { users: ['*'] } }
";
    let policy = parse(text).expect("a policy");
    let job = workload(Proof::Certificate, "", "spiffe://example.org/job", "");
    let allowed = |login: &str| match policy.decide(&job, Act::User(&person(login))) {
        Decision::Allowed(entry) => (entry.number(), entry.lifetime().map(|lifetime| lifetime.as_secs())),
        other => panic!("{login}: {other:?}"),
    };
    assert_eq!(allowed("ben"), (1, Some(10)));
    assert_eq!(allowed("anna"), (2, Some(3600)));
    let scopes: Vec<_> = policy.entries.iter().map(|entry| Scopes::clone(entry.scopes())).collect();
    let profile = Grants::parse(["profile"]).expect("a grant").to_cs3();
    assert_eq!(scopes, [Grants::user().to_cs3(), profile, Grants::user().to_cs3()]);
    let without_roles = policy.decide(&job, Act::User(&user("anna")));
    assert!(matches!(without_roles, Decision::RolesUnknown), "{without_roles:?}");
}

#[test]
fn what_is_wrong_is_named_with_entry_and_key() {
    for (text, expected) in [
        ("{ may_act_for: { users: [anna] } }", "neither identity nor issuer"),
        ("{ identity: a b, may_act_for: { users: [anna] } }", "identity must hold DNS names"),
        ("{ identity: a.example.org, audience: [x], may_act_for: { users: [anna] } }", "audience is for tokens"),
        ("{ identity: spiffe://Example.org/x, may_act_for: { users: [anna] } }", "no SPIFFE ID"),
        ("{ identity: spiffe://example.org, may_act_for: { users: [anna] } }", "no SPIFFE ID"),
        (
            "{ identity: spiffe://other.org/x, audience: [x], may_act_for: { users: [anna] } }",
            "OCIS_SPIFFE_TRUST_DOMAINS",
        ),
        ("{ identity: a.example.org, namespace: x, may_act_for: { users: [anna] } }", "namespace needs issuer"),
        ("{ identity: a.example.org, claims: { a: b }, may_act_for: { users: [anna] } }", "claims needs issuer"),
        ("{ identity: a.example.org }", "none of may_act_for"),
        ("{ identity: a.example.org, client: x }", "client needs audience"),
        ("{ identity: a.example.org, service_account: '' }", "service_account is empty"),
        ("{ identity: a.example.org, service_account: x, lifetime: 5m }", "need may_act_for"),
        ("{ identity: a.example.org, may_act_for: {} }", "no users, groups or roles"),
        ("{ identity: a.example.org, may_act_for: { users: [anna] }, lifetime: 9s }", "lifetime"),
        ("{ identity: a.example.org, may_act_for: { users: [anna] }, lifetime: 2h }", "lifetime"),
        ("{ identity: a.example.org, may_act_for: { users: [anna] }, scopes: [] }", "scopes"),
        ("{ identity: a.example.org, may_act_for: { users: [anna] }, scopes: [all] }", "scopes"),
        ("{ identity: a.example.org, may_act_for: { people: [anna] } }", "people"),
        ("{ issuer: ftp://x, identity: y, audience: [x], client: x }", "issuer"),
        ("{ issuer: https://x.org, identity: y, client: x }", "issuer needs audience"),
        ("{ issuer: https://x.org, audience: [x], client: x }", "needs identity, or namespace"),
        ("{ issuer: https://x.org, audience: [''], identity: y, client: x }", "audience holds an empty text"),
        ("{ issuer: https://x.org, audience: [x], identity: '*', client: x }", "after a separator"),
        ("{ issuer: https://x.org, audience: [x], identity: 'repo*', client: x }", "after a separator"),
        ("{ issuer: https://x.org, audience: [x], identity: 'a:*:b', client: x }", "after a separator"),
        (
            "{ issuer: https://x.org, audience: [x], identity: 'spiffe://example.org/x', client: x }",
            "do not go together",
        ),
        ("{ issuer: https://x.org, audience: [x], namespace: y, client: x }", "namespace needs name"),
        ("{ issuer: https://x.org, audience: [x], name: y, client: x }", "name needs namespace"),
        ("{ issuer: https://x.org, audience: [x], namespace: y*, name: y, client: x }", "namespace is a name"),
        (
            "{ issuer: https://x.org, audience: [x], identity: y, client: x, service_account: x }",
            "does not go together",
        ),
    ] {
        let whole = parse(&format!("callers:\n  - {{ identity: b.example.org, service_account: b }}\n  - {text}"));
        let problem = whole.expect_err(text);
        assert!(problem.contains(expected), "{text}: {problem}");
        assert!(problem.contains("entry 2") || problem.contains("callers[1]"), "{text}: {problem}");
    }
}

#[test]
fn issuers_are_reached_as_the_file_says() {
    let policy = policy();
    let expected = [
        IssuerSettings {
            ca_file: Some("/etc/doorward/cluster-ca.pem".into()),
            max_token_lifetime: Some(Duration::from_hours(2)),
            ..IssuerSettings::reached_by_discovery(CLUSTER)
        },
        IssuerSettings::reached_by_discovery(ISSUER),
    ];
    assert_eq!(policy.issuers(), expected);
    let caller = "callers: [{ issuer: https://x.org, audience: [x], identity: y, client: z }]";
    for (issuers, expected) in [
        ("[{ issuer: nowhere }]", "entry 1: issuer"),
        ("[{ issuer: https://y.org }]", "entry 1: no caller has the issuer"),
        ("[{ issuer: https://x.org }, { issuer: https://x.org }]", "entry 2: issuer is in another entry"),
        ("[{ issuer: https://x.org, jwks_file: /x, ca_file: /y }]", "entry 1: jwks_file"),
        ("[{ issuer: https://x.org, max_token_lifetime: 0s }]", "entry 1: max_token_lifetime"),
        ("[{ issuer: https://x.org, insecure: true }]", "insecure"),
    ] {
        let problem = parse(&format!("{caller}\nissuers: {issuers}")).expect_err(issuers);
        assert!(problem.contains(expected), "{issuers}: {problem}");
    }
    assert!(parse(&format!("{caller}\nissuers: [{{ issuer: https://x.org, jwks_file: /x }}]")).is_ok());
}

/// Row [M13](../../../../docs/security-requirements.md#m13).
#[test]
fn token_is_accepted_by_origin_audience_and_purpose_of_an_entry() {
    let policy = policy();
    let (domain, cluster) = (Origin::TrustDomain("example.org"), Origin::Issuer(CLUSTER));
    let (here, client) = (Purpose::Authentication, Purpose::ClientAssertion);
    assert!(policy.accepts(domain, "doorward", here) && policy.accepts(cluster, "other", here));
    assert!(policy.accepts(Origin::Issuer(ISSUER), "https://cloud.example.org", client));
    for (origin, audience, purpose) in [
        (domain, "other", here),
        (domain, "doorward", client),
        (Origin::TrustDomain("partner.org"), "doorward", here),
        (Origin::Issuer("example.org"), "doorward", here),
        (Origin::Issuer("https://other.example.org"), "doorward", here),
        (Origin::Issuer(ISSUER), "https://cloud.example.org", here),
        (Origin::Issuer(ISSUER), "doorward", client),
        (cluster, "", here),
    ] {
        assert!(!policy.accepts(origin, audience, purpose), "{origin:?} {audience} {purpose:?}");
    }
    assert_eq!(policy.claims_of(ISSUER).collect::<Vec<_>>(), ["environment"]);
    assert_eq!(policy.claims_of(CLUSTER).count(), 0);
    assert_eq!(policy.service_accounts().into_iter().collect::<Vec<_>>(), ["backup"]);
    assert!(policy.has(&of_kubernetes("batch", "reporter", "doorward"), here));
    assert!(!policy.has(&of_kubernetes("batch", "reporter", "doorward"), client));
    assert!(!policy.has(&of_kubernetes("batch", "other", "doorward"), here));
}

#[test]
fn too_long_policy_is_refused() {
    let entry = "  - { identity: a.example.org, service_account: x }\n";
    let text = |count: usize| format!("callers:\n{}", entry.repeat(count));
    assert_eq!(parse(&text(MAX_ENTRIES)).map(|policy| policy.len()), Ok(MAX_ENTRIES));
    assert!(parse(&text(MAX_ENTRIES + 1)).is_err());
}

fn in_docs(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn schema() -> Value {
    serde_json::to_value(schemars::schema_for!(Document)).expect("JSON")
}

#[test]
fn schema_in_the_documentation_is_up_to_date() {
    let copy: Value = serde_json::from_str(&in_docs("workload-policy.schema.json")).expect("JSON");
    let schema = schema();
    assert!(copy == schema, "docs/workload-policy.schema.json has to be:\n{schema:#}");
}

/// Every policy that a page shows is one, and fits the schema.
#[test]
fn examples_of_the_documentation_are_policies() {
    let schema = jsonschema::validator_for(&schema()).expect("a schema");
    let mut count = 0;
    for page in ["workload-identity.md", "replace-machine-key.md", "kubernetes-workloads.md"] {
        let page = in_docs(page);
        let blocks = page.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
        for block in blocks.filter(|block| block.contains("\ncallers:")) {
            parse(block).unwrap_or_else(|problem| panic!("{problem}\n{block}"));
            let value: Value = serde_yaml_ng::from_str(block).expect("YAML");
            assert!(schema.is_valid(&value), "{block}");
            let callers = value["callers"].as_array().into_iter().flatten();
            for group in callers.filter_map(|caller| caller["may_act_for"]["groups"].as_array()).flatten() {
                let is_id = group.as_str().is_some_and(|id| id.len() == 36);
                assert!(is_id, "a user's groups are known by their identifiers: {group}");
            }
            count += 1;
        }
    }
    assert!(count >= 3, "{count} examples");
    for other in ["callers: []\nx: 1", "callers:\n  - { identity: a, x: 1 }", "issuers: []"] {
        let value: Value = serde_yaml_ng::from_str(other).expect("YAML");
        assert!(!schema.is_valid(&value), "{other}");
    }
}

/// A rule as a test describes it.
#[derive(Debug, Clone)]
struct Rule {
    identity: &'static str,
    act: usize,
}

const IDENTITIES: [&str; 5] = [
    "spiffe://example.org/a",
    "spiffe://example.org/a/b",
    "spiffe://example.org/a/*",
    "spiffe://example.org/*",
    "spiffe://example.com/a",
];
const ACTS: [&str; 4] = [
    "may_act_for: { users: [anna] }",
    "may_act_for: { users: ['*'] }",
    "service_account: job",
    "may_act_for: { users: [ben] }, service_account: other",
];

/// The rule that decides, as someone would find it who reads the file from its top.
fn decisive(rules: &[Rule], name: &str, login: Option<&str>) -> Option<usize> {
    let names = |rule: &Rule| match rule.identity.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => rule.identity == name,
    };
    let permits = |rule: &Rule| match (rule.act, login) {
        (0, Some(login)) => login == "anna",
        (1, Some(_)) | (2 | 3, None) => true,
        (3, Some(login)) => login == "ben",
        _ => false,
    };
    rules.iter().position(|rule| names(rule) && permits(rule)).map(|index| index + 1)
}

#[test]
fn error_has_the_setting_and_the_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("policy.yaml");
    let place = format!("OCIS_WORKLOAD_POLICY_FILE: {}: ", file.display());
    let refused = || Policy::read(&file, &[]).expect_err("is refused").to_string();
    let missing = refused();
    std::fs::write(&file, "caller: []\n").expect("writes");
    for error in [missing, refused()] {
        assert!(error.starts_with(&place), "{error}");
    }
}

proptest! {
    /// Row [M17](../../../../docs/security-requirements.md#m17).
    #[test]
    fn decision_is_that_of_the_first_match(
        rules in proptest::collection::vec((0..IDENTITIES.len(), 0..ACTS.len()), 1..12),
        name in 0..3_usize,
        login in proptest::option::of(0..3_usize),
    ) {
        let rules: Vec<_> = rules.into_iter().map(|(identity, act)| Rule { identity: IDENTITIES[identity], act }).collect();
        let lines = rules.iter().map(|rule| format!("  - {{ identity: '{}', {} }}\n", rule.identity, ACTS[rule.act]));
        let policy = parse(&format!("callers:\n{}", lines.collect::<String>())).expect("a policy");
        let name = ["spiffe://example.org/a", "spiffe://example.org/a/b", "spiffe://example.com/a"][name];
        let login = login.map(|index| ["anna", "ben", "carl"][index]);
        let job = workload(Proof::Certificate, "", name, "");
        let user = person(login.unwrap_or_default());
        let act = login.map_or(Act::ServiceAccount(""), |_| Act::User(&user));
        prop_assert_eq!(entry(&policy, &job, act), decisive(&rules, name, login));
    }

    #[test]
    fn never_panics(text in ".{0,200}", key in "(identity|issuer|audience|namespace|name|scopes|lifetime)") {
        let _ = parse(&text);
        let _ = parse(&format!("callers: [{{ {key}: {text}, may_act_for: {{ users: [a] }} }}]"));
    }
}
