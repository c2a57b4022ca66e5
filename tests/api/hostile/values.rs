//! Values that some program somewhere sends: as JSON text, for not all of them are values of every language.

use proptest::{prelude::*, sample::select};

/// Numbers at the edges of what JSON, doubles and databases hold.
const NUMBERS: [&str; 22] = [
    "0",
    "-0",
    "-0.0",
    "1e16",
    "1e22",
    "-1e18",
    "1.7976931348623157e308",
    "-1.7976931348623157e308",
    "1e309",
    "1e400",
    "-1e999",
    "5e-324",
    "1e-400",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "-9223372036854775809",
    "100000000000000000000001",
    "0.1",
    "3.141592653589793238462643383279",
    "1E+2",
];

/// Texts that are hard to keep or to show.
const TEXTS: [&str; 20] = [
    r#""""#,
    r#"" ""#,
    r#""a\u0000b""#,
    r#""\ud800""#,
    r#""\udc00\ud800""#,
    r#""\ud83d\ude00""#,
    r#""\uffff""#,
    r#""\u2028""#,
    r#""\u0001\u001f\u007f""#,
    r#""\ufeff""#,
    r#""İ ℂ ß""#,
    r#""%00%s{}$1""#,
    r#""'; drop table lead; --""#,
    r#""\\\\""#,
    r#""null""#,
    r#""1e400""#,
    r#""-262143-01-01T00:00:00Z""#,
    r#""+262142-12-31T23:59:59Z""#,
    r#""0000-01-01T00:00:00Z""#,
    r#""9999-12-31T23:59:59.999999999Z""#,
];

/// A JSON text of any value, some of them no JSON at all.
pub(super) fn value() -> BoxedStrategy<String> {
    let number = prop_oneof![
        3 => select(&NUMBERS[..]).prop_map(str::to_owned),
        1 => any::<f64>().prop_filter("JSON has no such number", |n| n.is_finite()).prop_map(|n| serde_json::json!(n).to_string()),
        1 => ("-?[1-9][0-9]{0,330}", -340_i32..340).prop_map(|(digits, exponent)| format!("{digits}e{exponent}")),
    ];
    let text = prop_oneof![
        3 => select(&TEXTS[..]).prop_map(str::to_owned),
        1 => any::<String>().prop_map(|text| serde_json::json!(text).to_string()),
        1 => (1_usize..9_000).prop_map(|length| format!("\"{}\"", "ä".repeat(length))),
    ];
    let leaf = prop_oneof![
        4 => number,
        4 => text,
        1 => select(&["true", "false", "null", "{}", "[]"][..]).prop_map(str::to_owned),
    ]
    .boxed();
    let nested = (leaf.clone(), prop_oneof![3 => 1_usize..40, 1 => 40_usize..200], any::<bool>()).prop_map(
        |(leaf, levels, array)| {
            let (open, close) = if array { ("[", "]") } else { (r#"{"a":"#, "}") };
            format!("{}{leaf}{}", open.repeat(levels), close.repeat(levels))
        },
    );
    let object = (leaf.clone(), leaf.clone())
        .prop_map(|(one, other)| format!(r#"{{"a": {one}, "b": [{other}], "a": {other}}}"#));
    prop_oneof![6 => leaf, 2 => nested, 1 => object].boxed()
}
