//! Reads decay curves.

use super::node::{Mistakes, Node};
use crate::decay::{CompoundTables, Decay, WHOLE};
use crate::points::Scaled;

pub(super) fn decay(node: &Node<'_>, tables: &mut CompoundTables, mistakes: &mut Mistakes) -> Option<Decay> {
    let object = node.object(mistakes)?;
    let curve = object.require("curve", mistakes)?;
    match curve.string(mistakes)? {
        "compound" => {
            object.only(&["curve", "every", "keep"], mistakes);
            let every = object.require("every", mistakes).and_then(|node| node.span(mistakes));
            let keep = object.require("keep", mistakes)?;
            let share = share(&keep, mistakes)?;
            if share.value < 0 || !share.below_one {
                let message = "write a share to keep that is at least 0 and below 1";
                return mistakes.wrong(&keep.pointer, "out_of_range", message);
            }
            let factors = tables.keeping(u32::try_from(share.value).unwrap_or(WHOLE));
            Some(Decay::Compound { every: every?, factors })
        }
        "linear" => {
            object.only(&["curve", "every", "lose"], mistakes);
            let every = object.require("every", mistakes).and_then(|node| node.span(mistakes));
            let lose = object.require("lose", mistakes)?;
            let share = share(&lose, mistakes)?;
            if !share.above_zero || share.above_one {
                let message = "write a share to lose that is above 0 and at most 1";
                return mistakes.wrong(&lose.pointer, "out_of_range", message);
            }
            Some(Decay::Linear { every: every?, lose: u32::try_from(share.value).unwrap_or(WHOLE) })
        }
        "half_life" => {
            object.only(&["curve", "half_life"], mistakes);
            let half_life = object.require("half_life", mistakes)?.span(mistakes)?;
            Some(Decay::half_life(half_life))
        }
        _ => mistakes.wrong(&curve.pointer, "unknown_value", "write `compound`, `linear` or `half_life`"),
    }
}

struct Share {
    /// The share in millionths, rounded.
    value: i64,
    above_zero: bool,
    below_one: bool,
    above_one: bool,
}

/// Reads a share in millionths. The bounds are checked on the number as written, before rounding.
fn share(node: &Node<'_>, mistakes: &mut Mistakes) -> Option<Share> {
    let number = node.number(mistakes)?;
    let Ok(scaled) = Scaled::read(number, 6) else {
        return mistakes.wrong(&node.pointer, "out_of_range", "write a share from 0 to 1");
    };
    let written = number.as_f64()?;
    Some(Share {
        value: scaled.value,
        above_zero: written > 0.0,
        below_one: written < 1.0,
        above_one: written > 1.0,
    })
}
