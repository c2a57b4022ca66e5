//! Messages of the tracking API become events of ours.

mod addresses;
mod aliases;
mod ids;
mod names;

use super::{fields, log, only_event, take};
