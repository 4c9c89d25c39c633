//! The parts that are the same on every adapter: the builders' settings, and that errors implement
//! `Error`.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use crossws_core::http::StatusCode;
use crossws_core::http::header::COOKIE;
use crossws_core::{Deflate, Hub, Level, Limits, Observer, Origin, Settings, SettingsError, hooks};

struct Silent;

impl Observer for Silent {}

/// Sets every setting of a hub.
macro_rules! with_everything {
    ($builder:expr) => {
        $builder
            .settings(Settings::default().topic("first"))
            .limits(Limits::default().max_peers(7))
            .origin(Origin::listed(["https://app.example"]))
            .deflate(Deflate::default())
            .protocols(["chat.v2", "chat.v1"])
            .topic("second")
            .keep_headers([COOKIE])
            .counters()
            .observer(Silent)
            .trace(Level::TRACE)
    };
}

#[track_caller]
fn has_everything(hub: &Hub) {
    let expected = Settings::default()
        .limits(Limits::default().max_peers(7))
        .origin(Origin::listed(["https://app.example"]))
        .deflate(Deflate::default())
        .protocols(["chat.v2", "chat.v1"])
        .topic("first")
        .topic("second");
    assert_eq!(**hub.settings(), expected);
    assert_eq!(hub.kept_headers(), [COOKIE]);
    assert!(hub.is_watched() && hub.counters().is_some());
}

#[test]
fn every_builder_takes_the_same_settings() {
    has_everything(&with_everything!(Hub::builder()).build());

    let memory = crossws_memory::TestServer::builder(hooks());
    has_everything(with_everything!(memory).build().hub());

    let acceptor = crossws_tokio::Acceptor::builder(hooks());
    let acceptor: crossws_tokio::Acceptor = with_everything!(acceptor).build();
    has_everything(acceptor.hub());

    let tokio = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let server = with_everything!(crossws_tokio::Server::builder(hooks()));
    let server = tokio.block_on(server.bind("127.0.0.1:0")).unwrap();
    has_everything(server.handle().hub());

    let server = with_everything!(crossws_smol::Server::builder(hooks()));
    let server = smol::block_on(server.bind("127.0.0.1:0")).unwrap();
    has_everything(server.handle().hub());

    // An object creates its hub when the platform creates the object.
    let _ = with_everything!(crossws_worker::Options::new());
}

#[test]
fn a_hub_that_exists_keeps_its_settings_and_a_builder_may_have_no_others() {
    let hub = || with_everything!(Hub::builder()).build();
    let memory = crossws_memory::TestServer::builder(Arc::new(hooks()));
    has_everything(memory.hub(hub()).build().hub());
    let other = Limits::default().max_peers(1);
    let acceptor = crossws_tokio::Acceptor::builder(hooks());
    let acceptor = acceptor.limits(other.clone()).hub(hub()).build_typed();
    has_everything(acceptor.hub());
    let ignored = |setter| SettingsError::Ignored(setter).to_string();
    let error = smol::block_on(acceptor.start()).unwrap_err();
    assert!(error.to_string().contains(&ignored("limits")), "{error}");
    let server = crossws_smol::Server::builder(hooks()).hub(hub()).counters();
    let server = smol::block_on(server.bind("127.0.0.1:0")).unwrap();
    let error = smol::block_on(server.run()).unwrap_err();
    assert!(error.to_string().contains(&ignored("counters")), "{error}");
    let memory = crossws_memory::TestServer::builder(hooks()).hub(hub());
    let server = memory.limits(other).build();
    let error = smol::block_on(server.connect("/").into_future()).unwrap_err();
    assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn a_builder_whose_settings_a_shared_hub_ignores_does_not_keep_other_servers_from_starting() {
    let hub = Hub::default();
    let right = crossws_tokio::Acceptor::builder(hooks()).hub(hub.clone());
    let right = right.build_typed();
    let wrong = crossws_tokio::Acceptor::builder(hooks()).hub(hub.clone());
    let wrong = wrong.counters().build_typed();
    let dropped = crossws_memory::TestServer::builder(hooks()).hub(hub.clone());
    drop(dropped.topic("news").build());
    smol::block_on(wrong.start()).unwrap_err();
    smol::block_on(right.start()).unwrap();
    let later = crossws_tokio::Acceptor::<_>::sharing_hub(hooks(), hub.clone());
    smol::block_on(later.start()).unwrap();
    let memory = crossws_memory::TestServer::builder(hooks()).hub(hub);
    let memory = memory.build();
    let _client = smol::block_on(memory.connect("/").into_future()).unwrap();
}

#[test]
fn types_in_an_error_position_implement_error() {
    fn is_error<E: std::error::Error>() {}
    is_error::<crossws_core::adapter::ClaimError>();
    is_error::<crossws_core::adapter::Cursor>();
    is_error::<crossws_core::adapter::Overloaded>();
    is_error::<crossws_core::adapter::RestoreError>();
    is_error::<crossws_core::CloseFrame>();
    is_error::<crossws_core::ContextError>();
    is_error::<crossws_core::ControlError>();
    is_error::<crossws_core::DecodeError>();
    is_error::<crossws_core::EncodeError>();
    is_error::<crossws_core::Error>();
    is_error::<crossws_core::ExpiryError>();
    is_error::<crossws_core::InvalidCloseCode>();
    is_error::<crossws_core::InvalidHeader>();
    is_error::<crossws_core::InvalidPeerId>();
    is_error::<crossws_core::NotAttached>();
    is_error::<crossws_core::PersistError>();
    is_error::<crossws_core::PublishError>();
    is_error::<crossws_core::Rejection>();
    is_error::<crossws_core::SendError>();
    is_error::<crossws_core::SubscribeError>();
    is_error::<crossws_app::NoToken>();
    is_error::<crossws_app::PathError>();
    is_error::<crossws_app::PatternError>();
    is_error::<crossws_app::QueryError>();
    is_error::<crossws_app::RouterError>();
    is_error::<crossws_memory::ConnectError>();
    is_error::<crossws_native::AnswerError>();
    is_error::<crossws_native::TlsError>();
    // A stream that does not implement `Debug` can be returned too.
    struct Stream;
    is_error::<crossws_native::NotHandled<Stream>>();
    is_error::<crossws_worker::Error>();
    let frame = crossws_core::CloseFrame::new(crossws_core::CloseCode::AWAY, "bye");
    assert_eq!(frame.to_string(), "closed with 1001: bye");
}
