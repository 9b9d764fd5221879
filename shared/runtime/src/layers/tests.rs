mod access;
mod spans;

use std::time::Duration;

use tonic::Code;

use crate::client::channel_within;
use crate::testing::{Sections, code, context, echoing, say};
use crate::{App, Running};
use config::GrpcClientTls;

async fn serve(sections: &Sections, app: App) -> (Running, authn::Channel) {
    let running = sections.serve(app, &context()).await.expect("starts");
    let addr = running.grpc.expect("serves gRPC").to_string();
    let channel = channel_within(&addr, &GrpcClientTls::default(), None, &context()).expect("an endpoint");
    (running, channel)
}

#[tokio::test]
async fn a_message_that_is_too_long_exhausts_a_resource() {
    let (running, channel) = serve(&Sections::default(), echoing()).await;
    assert_eq!(code(&channel, &"x".repeat(5000)).await, Code::ResourceExhausted);
    running.stop().await;
}

#[tokio::test]
async fn a_panic_is_an_answer_and_the_server_lives() {
    let (running, channel) = serve(&Sections::default(), echoing()).await;
    let status = say(channel.clone(), "panic").await.expect_err("fails");
    assert_eq!((status.code(), status.message()), (Code::Internal, "internal error"));
    assert_eq!(code(&channel, "hello").await, Code::Ok);
    running.stop().await;
}

#[tokio::test]
async fn requests_are_given_up_unless_they_stream() {
    let mut sections = Sections::default();
    sections.grpc.request_timeout = Duration::from_millis(50);
    let (running, channel) = serve(&sections, echoing()).await;
    assert_eq!(code(&channel, "slow").await, Code::DeadlineExceeded);
    running.stop().await;

    let (running, channel) = serve(&sections, App { streaming: true, ..echoing() }).await;
    assert_eq!(code(&channel, "slow").await, Code::Ok);
    running.stop().await;
}

#[tokio::test]
async fn request_over_the_limit_is_refused_except_health_checks() {
    let mut sections = Sections::default();
    sections.grpc.max_concurrent_requests = 1;
    let (running, channel) = serve(&sections, echoing()).await;
    let slow = tokio::spawn(say(channel.clone(), "slow"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(code(&channel, "hello").await, Code::ResourceExhausted);
    let mut health = tonic_health::pb::health_client::HealthClient::new(channel.clone());
    health.check(tonic_health::pb::HealthCheckRequest::default()).await.expect("the health check is answered");
    slow.await.expect("no panic").expect("is answered");
    assert_eq!(code(&channel, "hello").await, Code::Ok);
    running.stop().await;
}

#[tokio::test]
async fn answers_bear_an_id_and_unknown_methods_are_unimplemented() {
    let (running, channel) = serve(&Sections::default(), echoing()).await;
    let answer = say(channel.clone(), "hello").await.expect("is answered");
    assert_eq!(answer.metadata().get("x-request-id").map(tonic::metadata::MetadataValue::len), Some(32));
    let mut unknown = tonic_health::pb::health_client::HealthClient::with_interceptor(channel, Ok);
    let request = tonic_health::pb::HealthCheckRequest { service: "unknown".into() };
    assert_eq!(unknown.check(request).await.expect_err("fails").code(), Code::NotFound);
    running.stop().await;
}
