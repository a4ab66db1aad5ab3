//! An instance's webhook subscription at Close.
//!
//! [`mod@settle`] brings it to what is stored of the instance: [`at_close`] sets it right, [`creation`] makes one that is missing and
//! has the instance name it, [`removal`] removes what is not wanted. [`offer`] decides what Close is asked for, without what it
//! refuses, and [`mod@describe`] says how a subscription is. [`outside`] is all that they touch.

pub mod at_close;
pub mod creation;
pub mod describe;
pub mod error;
pub mod offer;
pub mod outside;
pub mod removal;
pub mod settle;
pub mod state;
