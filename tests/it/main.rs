//! One integration binary: the house, the model against the reference, the store, the commands, the hub.

mod commands;
mod digest;
mod exchange;
mod filters;
mod house;
#[cfg(feature = "remote")]
mod hub;
mod identity;
mod index;
mod ingest;
mod killed;
#[cfg(feature = "remote")]
mod live;
#[cfg(feature = "remote")]
mod mail;
mod map;
mod model;
mod night;
mod parquet;
#[cfg(feature = "remote")]
mod post;
mod recommend;
#[cfg(feature = "remote")]
mod server;
mod shared;
mod sources;
mod store;
mod support;
mod topics;
