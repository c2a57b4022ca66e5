//! Patterns over whole strings: `*` is any run, `?` any one character.

/// A pattern in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<char>);

impl Glob {
    pub(crate) fn new(pattern: &str) -> Self {
        Self(pattern.to_lowercase().chars().collect())
    }

    /// Whether the whole of `text`, which is in lower case, matches.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let mut rest = text.chars();
        let mut at = 0;
        // Where to go on from when a match fails after the last star, which then swallows one character more.
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            if self.0.get(at) == Some(&'*') {
                at += 1;
                retry = Some((at, rest.clone()));
                continue;
            }
            let mut ahead = rest.clone();
            match (self.0.get(at), ahead.next()) {
                (None, None) => return true,
                (Some(wanted), Some(found)) if *wanted == '?' || *wanted == found => {
                    at += 1;
                    rest = ahead;
                }
                _ => {
                    let Some((after_star, swallowed)) = &mut retry else { return false };
                    if swallowed.next().is_none() {
                        return false;
                    }
                    at = *after_star;
                    rest = swallowed.clone();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_matches_the_whole_string() {
        let matches = |pattern, text| Glob::new(pattern).matches(text);
        assert!(matches("/Pricing*", "/pricing/enterprise") && matches("/pricing*", "/pricing"));
        assert!(!matches("/pricing", "/pricing/enterprise") && !matches("pricing*", "/pricing"));
        assert!(matches("/b?og/*", "/blog/a") && !matches("/b?og/*", "/bog/a"));
        assert!(matches("*a*b", "xaxbxb") && !matches("*a*b", "xaxbxc"));
        assert!(matches("", "") && matches("**", "") && !matches("?", "") && matches("?", "ä"));
    }
}
