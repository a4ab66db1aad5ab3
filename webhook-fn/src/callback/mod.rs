//! Delivers events to callback URLs, as the notifications that receivers of the Cloud Elements service know.
//!
//! [`invocation::handle`] takes a batch of messages, which [`mod@deliver`] handles. Each is an [`event`] and how often it was
//! tried ([`message`]); those of one instance go together ([`instance_delivery`]). What becomes of each is decided without
//! doing anything ([`decide`]): it is delivered ([`attempt`]), as a [`notification`] with its [`signature`], never to an
//! address that is not public ([`resolver`]); tried again later ([`schedule`]); or given up, for a [`reason`]. Both of the
//! latter are messages again ([`queues`]), but for waits of more than 15 minutes ([`waits_table`]), which a tick ends
//! ([`release`]). How many went where ([`disposition`]) is measured ([`report`]) and noted at the instance ([`note`]); from
//! what is noted, the [`circuit`] of a URL that takes nothing opens. All that is outside is behind one trait ([`outside`]).

pub mod app;
pub mod attempt;
pub mod batch;
pub mod circuit;
pub mod config;
pub mod decide;
pub mod deliver;
pub mod disposition;
pub mod event;
pub mod instance_delivery;
pub mod invocation;
pub mod message;
pub mod note;
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
