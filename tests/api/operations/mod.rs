//! What operators and their tools see: health, counters, request ids, and answers outside every room.

mod answers;
mod counters;
mod health;
