//! What a tier's leads are ordered by.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What leads can be ordered by, as a document and the statement name it.
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

/// How many keys an order may name before the ties are broken by the default.
pub(super) const MOST_KEYS: usize = 3;

/// One thing to order by, in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    /// One of [`FIELDS`].
    pub(super) field: &'static str,
    /// The greatest or latest first.
    pub(super) down: bool,
}

impl Key {
    /// Whoever asked for sales last first.
    pub(super) const NEWEST_ASKED: Key = Key { field: "hand_raised_at", down: true };

    /// Best score first; equal ones by the higher raw score, then by who first did something last.
    pub(super) const DEFAULT: [Key; 3] = [
        Key { field: "score", down: true },
        Key { field: "raw", down: true },
        Key { field: "first_seen_at", down: true },
    ];

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

/// An order in which no two leads share a place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Order {
    /// [`Key::DEFAULT`], which an index holds ready.
    ByScore,
    /// [`Key::NEWEST_ASKED`], then [`Key::DEFAULT`]: of whoever is an MQL for having asked, another index holds it ready.
    ByHandRaise,
    /// By these, and then by [`Key::DEFAULT`].
    By(Vec<Key>),
}

impl Order {
    /// The order by these keys; or what is wrong with them.
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

    /// Everything that decides on a place, the first that differs deciding.
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
