//! Delivers events to callback URLs, as the notifications that receivers of the Cloud Elements service know.
//!
//! [`invocation::handle`] takes a batch of messages, which [`app::deliver`] handles. Each is an [`event`] and how often it was
//! tried ([`message`]); those of one instance go together ([`instance`]). What becomes of each is decided without doing
//! anything ([`decide`]): it is delivered ([`deliver`]), as a [`notification`] with its [`signature`], never to an address that
//! is not public ([`resolver`]); tried again later ([`schedule`]); or given up, for a [`reason`]. Both of the latter are
//! messages again ([`queues`]), but for waits of more than 15 minutes ([`waits_table`]), which a tick ends ([`release`]). How
//! many went where is measured ([`report`]).

pub mod app;
pub mod config;
pub mod decide;
pub mod deliver;
pub mod event;
pub mod instance;
pub mod invocation;
pub mod message;
pub mod notification;
pub mod outside;
pub mod queues;
pub mod reason;
pub mod recent;
pub mod release;
pub mod report;
pub mod resolver;
pub mod schedule;
pub mod signature;
pub mod waits_table;
