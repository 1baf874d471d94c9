//! One integration binary: the house, the model against the reference, the store, the commands, the hub.

mod commands;
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
mod map;
mod model;
mod parquet;
mod recommend;
#[cfg(feature = "remote")]
mod server;
mod shared;
mod sources;
mod store;
mod support;
mod topics;
