//! The orders of tiers.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The values that leads can be ordered by, by their names in the document and in the SQL statement.
const FIELDS: [&str; 11] = [
    "score",
    "raw",
    "fit",
    "engagement",
    "hand_raised_at",
    "first_seen_at",
    "created_at",
    "last_activity_at",
    "waiting_since",
    "contacted_at",
    "callback_at",
];

/// How many keys an order may name. Leads that are equal by these keys are ordered by [`Key::DEFAULT`].
pub(super) const MOST_KEYS: usize = 3;

/// A value to order by, with a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// The name of the value, one of [`FIELDS`].
    pub(super) field: &'static str,
    /// Whether the greatest or latest comes first.
    pub(super) down: bool,
}

impl Key {
    /// The lead that asked for sales last comes first.
    pub(super) const NEWEST_ASKED: Key = Key { field: "hand_raised_at", down: true };

    /// The highest score first, then the highest raw score, then the latest first activity.
    pub(super) const DEFAULT: [Key; 3] = [
        Key { field: "score", down: true },
        Key { field: "raw", down: true },
        Key { field: "first_seen_at", down: true },
    ];

    /// Parses a key: the name of a value, perhaps with `-` in front.
    fn parse(text: &str) -> Option<Key> {
        let (name, down) = text.strip_prefix('-').map_or((text, false), |name| (name, true));
        FIELDS.into_iter().find(|field| *field == name).map(|field| Key { field, down })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.down { "-" } else { "" }, self.field)
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        let text = String::deserialize(deserializer)?;
        Key::parse(&text).ok_or_else(|| {
            let known = FIELDS.join(", ");
            serde::de::Error::custom(format!(
                "a tier cannot be ordered by `{text}`; write one of {known}, or one of them with - in front"
            ))
        })
    }
}

/// An order of leads. No two leads share a place, because the lead's id decides at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// The order by [`Key::DEFAULT`]. An index has this order.
    ByScore,
    /// The order by [`Key::NEWEST_ASKED`], then [`Key::DEFAULT`]. An index has this order for leads that are
    /// MQLs because they asked for sales.
    ByHandRaise,
    /// The order by these keys, then by [`Key::DEFAULT`].
    By(Vec<Key>),
}

impl Order {
    /// Makes the order by these keys.
    ///
    /// # Errors
    /// What is wrong with the keys, as a text for people.
    pub(super) fn of(keys: &[Key]) -> Result<Order, String> {
        let twice =
            keys.iter().enumerate().any(|(n, key)| keys[..n].iter().any(|one| one.field == key.field));
        if twice {
            return Err("name each key only once".to_owned());
        }
        if Key::DEFAULT.starts_with(keys) {
            return Ok(Order::ByScore);
        }
        if keys == [Key::NEWEST_ASKED] {
            return Ok(Order::ByHandRaise);
        }
        if keys.len() > MOST_KEYS {
            return Err(format!("order by at most {MOST_KEYS} keys"));
        }
        Ok(Order::By(keys.to_vec()))
    }

    /// Returns all keys that decide a place. The first key by which two leads differ decides between them.
    pub(super) fn keys(&self) -> Vec<Key> {
        let mut keys = match self {
            Order::ByScore => Vec::new(),
            Order::ByHandRaise => vec![Key::NEWEST_ASKED],
            Order::By(keys) => keys.clone(),
        };
        for key in Key::DEFAULT {
            if keys.iter().all(|one| one.field != key.field) {
                keys.push(key);
            }
        }
        keys
    }
}
