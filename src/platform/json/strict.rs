//! A reader of JSON around another one, which refuses what cannot be kept.
//!
//! It takes no array for an object: serde by itself reads `["a", 1]` as a struct of two fields. It refuses NUL
//! characters, deep nesting, and a key that stands twice in one object, of which serde would drop the first value. It
//! hands on numbers in the form in which they are read back.

use std::{collections::HashSet, fmt};

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::{
    DEEPEST, REPEATED, Unstorable,
    number::{Kept, of_float},
};

/// The keys that an object has had so far, while its next key is read. `None` while anything else is read.
type Keys<'k> = Option<&'k mut HashSet<String>>;

/// A deserializer around another one that refuses what cannot be stored.
#[derive(Debug)]
pub struct Strict<'k, D> {
    inner: D,
    /// How many more levels of objects and arrays may follow.
    levels: usize,
    /// The keys that the object has had so far, if a key is read.
    keys: Keys<'k>,
}

impl<D> Strict<'_, D> {
    /// Makes a reader of a whole document.
    pub fn new(inner: D) -> Self {
        Strict { inner, levels: DEEPEST, keys: None }
    }
}

macro_rules! forward {
    ($($name:ident($($argument:ident: $kind:ty),*)),* $(,)?) => {
        $(fn $name<V: Visitor<'de>>(self $(, $argument: $kind)*, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$name($($argument,)* Visit { inner: visitor, levels: self.levels, keys: self.keys })
        })*
    };
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Strict<'_, D> {
    type Error = D::Error;

    forward! {
        deserialize_any(), deserialize_bool(), deserialize_i8(), deserialize_i16(), deserialize_i32(),
        deserialize_i64(), deserialize_i128(), deserialize_u8(), deserialize_u16(), deserialize_u32(),
        deserialize_u64(), deserialize_u128(), deserialize_f32(), deserialize_f64(), deserialize_char(),
        deserialize_str(), deserialize_string(), deserialize_bytes(), deserialize_byte_buf(),
        deserialize_option(), deserialize_unit(), deserialize_seq(), deserialize_map(),
        deserialize_identifier(), deserialize_unit_struct(name: &'static str),
        deserialize_newtype_struct(name: &'static str), deserialize_tuple(len: usize),
        deserialize_tuple_struct(name: &'static str, len: usize),
        deserialize_enum(name: &'static str, variants: &'static [&'static str]),
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_ignored_any(visitor)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

/// Wraps the visitor that takes the values, and checks each value first.
struct Visit<'k, V> {
    inner: V,
    levels: usize,
    keys: Keys<'k>,
}

impl<V> Visit<'_, V> {
    fn text<E: Error>(&mut self, text: &str) -> Result<(), E> {
        if text.contains('\0') {
            return Err(E::custom(Unstorable::Nul));
        }
        if self.keys.as_mut().is_some_and(|keys| !keys.insert(text.to_owned())) {
            return Err(E::custom(format_args!("`{text}` {REPEATED}")));
        }
        Ok(())
    }
}

fn within<E: Error>(levels: usize) -> Result<usize, E> {
    levels.checked_sub(1).ok_or_else(|| E::custom(Unstorable::TooDeep))
}

macro_rules! hand_on {
    ($($name:ident($kind:ty)),* $(,)?) => {
        $(fn $name<E: Error>(self, value: $kind) -> Result<V::Value, E> {
            self.inner.$name(value)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Visit<'_, V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(formatter)
    }

    hand_on! {
        visit_bool(bool), visit_i8(i8), visit_i16(i16), visit_i32(i32), visit_i64(i64), visit_i128(i128),
        visit_u8(u8), visit_u16(u16), visit_u32(u32), visit_u64(u64), visit_u128(u128), visit_f32(f32),
        visit_char(char), visit_bytes(&[u8]), visit_borrowed_bytes(&'de [u8]), visit_byte_buf(Vec<u8>),
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        match of_float(value) {
            Kept::Unsigned(value) => self.inner.visit_u64(value),
            Kept::Signed(value) => self.inner.visit_i64(value),
            Kept::Float(value) => self.inner.visit_f64(value),
        }
    }

    fn visit_str<E: Error>(mut self, value: &str) -> Result<V::Value, E> {
        self.text(value)?;
        self.inner.visit_str(value)
    }

    fn visit_borrowed_str<E: Error>(mut self, value: &'de str) -> Result<V::Value, E> {
        self.text(value)?;
        self.inner.visit_borrowed_str(value)
    }

    fn visit_string<E: Error>(mut self, value: String) -> Result<V::Value, E> {
        self.text(&value)?;
        self.inner.visit_string(value)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(Strict { inner, levels: self.levels, keys: None })
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(Strict { inner, levels: self.levels, keys: None })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(Access { inner, levels: within(self.levels)?, keys: HashSet::new() })
    }

    fn visit_map<A: MapAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(Access { inner, levels: within(self.levels)?, keys: HashSet::new() })
    }

    fn visit_enum<A: EnumAccess<'de>>(self, inner: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(Access { inner, levels: within(self.levels)?, keys: HashSet::new() })
    }
}

/// The access to the values within an object or an array.
struct Access<A> {
    inner: A,
    levels: usize,
    /// The keys of the object so far. Empty for an array.
    keys: HashSet<String>,
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Access<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_element_seed(Seed { inner: seed, levels: self.levels, keys: None })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Access<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.inner.next_key_seed(Seed { inner: seed, levels: self.levels, keys: Some(&mut self.keys) })
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.next_value_seed(Seed { inner: seed, levels: self.levels, keys: None })
    }

    fn size_hint(&self) -> Option<usize> {
        self.inner.size_hint()
    }
}

impl<'de, A: EnumAccess<'de>> EnumAccess<'de> for Access<A> {
    type Error = A::Error;
    type Variant = Access<A::Variant>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), A::Error> {
        let Access { inner, levels, keys } = self;
        let (value, variant) = inner.variant_seed(Seed { inner: seed, levels, keys: None })?;
        Ok((value, Access { inner: variant, levels, keys }))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Access<A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, A::Error> {
        self.inner.newtype_variant_seed(Seed { inner: seed, levels: self.levels, keys: None })
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        self.inner.tuple_variant(len, Visit { inner: visitor, levels: self.levels, keys: None })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        self.newtype_variant_seed(Fields(visitor))
    }
}

/// Reads one value inside another.
struct Seed<'k, S> {
    inner: S,
    levels: usize,
    keys: Keys<'k>,
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<'_, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<S::Value, D::Error> {
        self.inner.deserialize(Strict { inner, levels: self.levels, keys: self.keys })
    }
}

/// Reads the fields of an enum's variant from an object.
struct Fields<V>(V);

impl<'de, V: Visitor<'de>> DeserializeSeed<'de> for Fields<V> {
    type Value = V::Value;

    fn deserialize<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        inner.deserialize_map(self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::{Value, json, value::RawValue};

    use crate::platform::json::{DEEPEST, read};

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        name: String,
        size: Option<f64>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Shape {
        Point,
        Box { width: u32 },
        Of(Inner),
    }

    #[derive(Debug, Deserialize)]
    struct Outer {
        inner: Vec<Inner>,
        shape: Option<Shape>,
        rest: Option<Value>,
        raw: Option<Box<RawValue>>,
    }

    fn outer(json: &str) -> Result<Outer, String> {
        read(json.as_bytes()).map_err(|error| format!("{}: {}", error.path(), error.inner()))
    }

    #[test]
    fn what_fits_is_read_as_serde_reads_it() {
        let json = r#"{"inner": [{"name": "a\nb", "size": 2}, {"name": "ü"}], "shape": {"box": {"width": 3}},
            "rest": {"n": [1, -2, 0.5, true, null]}, "raw": {"x":  1e999}}"#;

        let outer = outer(json).unwrap();

        assert_eq!(outer.inner[0], Inner { name: "a\nb".to_owned(), size: Some(2.0) });
        assert_eq!((outer.inner.len(), outer.shape), (2, Some(Shape::Box { width: 3 })));
        assert_eq!(outer.rest, Some(json!({"n": [1, -2, 0.5, true, null]})));
        assert_eq!(outer.raw.unwrap().get(), r#"{"x":  1e999}"#, "what is not read is handed on as it came");
    }

    #[test]
    fn an_array_is_no_object_wherever_one_stands() {
        for (json, place) in [
            ("[[], null, null, null]", "."),
            (r#"{"inner": [["a", 1]]}"#, "inner[0]"),
            (r#"{"inner": [], "shape": {"box": [3]}}"#, "shape"),
            (r#"{"inner": [], "shape": {"of": ["a", 1]}}"#, "shape"),
        ] {
            let said = outer(json).unwrap_err();
            assert!(said.starts_with(place) && said.contains("invalid type: sequence"), "{json}: {said}");
        }
        assert_eq!(outer(r#"{"inner": [], "shape": "point"}"#).unwrap().shape, Some(Shape::Point));
    }

    #[test]
    fn a_nul_character_is_refused_in_values_and_in_names() {
        for (json, place) in [
            (r#"{"inner": [{"name": "a\u0000"}]}"#, "inner[0].name"),
            (r#"{"inner": [], "rest": {"a": ["\u0000"]}}"#, "rest.a[0]"),
            (r#"{"inner": [], "rest": {"a\u0000": 1}}"#, "rest"),
            (r#"{"inner": [], "shape": "point\u0000"}"#, "shape"),
        ] {
            let said = outer(json).unwrap_err();
            assert!(said.starts_with(place) && said.contains("NUL"), "{json}: {said}");
        }
    }

    #[test]
    fn a_key_that_stands_twice_in_one_object_is_refused_wherever_that_is() {
        for (json, place) in [
            (r#"{"inner": [], "inner": []}"#, "?"),
            (r#"{"inner": [{"name": "a", "name": "b"}]}"#, "inner[0]"),
            (r#"{"inner": [], "rest": {"a": [{"n": 1, "\u006e": 2}]}}"#, "rest.a[0]"),
            (r#"{"inner": [], "shape": {"box": {"width": 1, "width": 2}}}"#, "shape"),
        ] {
            let said = outer(json).unwrap_err();
            assert!(said.starts_with(place) && said.contains("stands twice"), "{json}: {said}");
        }
        let once = outer(r#"{"inner": [{"name": "name"}, {"name": "name"}], "rest": {"a": {"a": "a"}}}"#);
        assert_eq!(once.unwrap().rest, Some(json!({"a": {"a": "a"}})));
    }

    #[test]
    fn nesting_is_read_to_its_bound_and_refused_beyond() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(read::<Value>(nested(DEEPEST).as_bytes()).is_ok());
        assert!(read::<Value>(nested(DEEPEST + 1).as_bytes()).is_err());
    }

    #[test]
    fn a_number_is_handed_on_as_it_is_read_back_from_the_database() {
        let read = |json: &str| read::<Value>(json.as_bytes()).unwrap().to_string();
        assert_eq!(read("[1e16, -0, 0.1]"), "[10000000000000000,0.0,0.1]");
        assert_eq!(super::super::read::<f64>(b"1e17").unwrap().to_string(), 1e17.to_string());
    }
}
