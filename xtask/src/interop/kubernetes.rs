//! A real Kubernetes API server with etcd, without a node: who its accounts and users are, and what it says of the manifests.

mod cluster;
mod manifests;
mod users;
mod workloads;

use super::Session;
use super::go_program::GoProgram;
use super::helm;
use super::openid::CLIENT;
use super::report::{Scenarios, Trouble};
use cluster::Cluster;
pub(super) use cluster::start_etcd;

const KUBERNETES: (&str, &str) = ("k8s.io/kubernetes", "v1.36.3");
/// The version of the modules that Kubernetes has in its own tree.
const STAGING: &str = "v0.36.3";

pub(super) const API_SERVER: GoProgram = GoProgram {
    staging: Some(STAGING),
    variables: &[
        ("k8s.io/component-base/version.gitVersion", KUBERNETES.1),
        ("k8s.io/component-base/version.gitMajor", "1"),
        ("k8s.io/component-base/version.gitMinor", "36"),
    ],
    ..GoProgram::new("kube-apiserver", KUBERNETES, "k8s.io/kubernetes/cmd/kube-apiserver")
};

const KUBECTL: GoProgram = GoProgram {
    staging: API_SERVER.staging,
    variables: API_SERVER.variables,
    ..GoProgram::new("kubectl", KUBERNETES, "k8s.io/kubernetes/cmd/kubectl")
};

/// The database of the API server and of Patroni.
pub(super) const ETCD: GoProgram =
    GoProgram::new("etcd", ("go.etcd.io/etcd/server/v3", "v3.7.3"), "go.etcd.io/etcd/server/v3");

pub(super) fn run(session: &Session<'_>, scenarios: &mut Scenarios<'_>) -> Result<(), Trouble> {
    let etcd = session.build(&ETCD)?;
    let api_server = session.build(&API_SERVER)?;
    let client = session.build(&CLIENT)?;
    let kubectl = session.build(&KUBECTL)?;
    let (mut family, mut cluster) = Cluster::start(session, scenarios, (&etcd, api_server, kubectl))?;
    workloads::run(&mut family, &mut cluster, scenarios);
    users::run(&family, &cluster, &client, scenarios);
    let helm = match session.build(&helm::PROGRAM) {
        Ok(helm) => Some(helm),
        Err(Trouble::Failed(failure)) => return Err(Trouble::Failed(failure)),
        Err(Trouble::Missing(reason)) => {
            scenarios.skip("the chart, dry run with strict validation", &reason);
            None
        }
    };
    manifests::run(session, &cluster, helm.as_deref(), scenarios);
    Ok(())
}
