//! Points as integers in milli-points. They are read from decimal text, and every rounding is half away from
//! zero.

use std::fmt;
use std::ops::{Add, Neg, Sub};

use serde::{Deserialize, Serialize};
use serde_json::Number;

/// Points in milli-points: 10 points are 10000. Sums saturate instead of overflowing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Milli(pub i64);

impl Milli {
    /// No points.
    pub const ZERO: Self = Self(0);
    /// The largest number of points in a model or an adjustment: one million, positive or negative.
    pub const LIMIT: Self = Self(1_000_000_000);

    /// Reads a JSON number of points exactly.
    ///
    /// # Errors
    /// The number has more than three decimals, or lies outside ±[`Milli::LIMIT`].
    pub fn from_number(number: &Number) -> Result<Self, DecimalError> {
        let scaled = Scaled::read(number, 3)?;
        if !scaled.exact {
            return Err(DecimalError::TooManyDecimals);
        }
        if scaled.value.abs() > Self::LIMIT.0 {
            return Err(DecimalError::OutOfRange);
        }
        Ok(Self(scaled.value))
    }

    /// The nearest whole number of points, rounded half away from zero.
    pub fn rounded_points(self) -> i64 {
        narrow(divide(i128::from(self.0), 1000))
    }

    /// This value, held between the given bounds.
    #[must_use]
    pub fn clamped(self, min: Option<Self>, max: Option<Self>) -> Self {
        let raised = min.map_or(self, |min| self.max(min));
        max.map_or(raised, |max| raised.min(max))
    }

    /// `self × numerator / denominator`, rounded half away from zero.
    pub(crate) fn scaled(self, numerator: i64, denominator: i64) -> Self {
        Self(narrow(divide(i128::from(self.0) * i128::from(numerator), i128::from(denominator))))
    }

    pub(crate) fn times(self, factor: u32) -> Self {
        Self(self.0.saturating_mul(i64::from(factor)))
    }
}

impl Add for Milli {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Milli {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Milli {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl std::iter::Sum for Milli {
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Milli {
    /// Writes points without trailing zeros: `15.125`, `-3`, `0.5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let (whole, rest) = (self.0.unsigned_abs() / 1000, self.0.unsigned_abs() % 1000);
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let decimals = format!("{rest:03}");
        write!(f, "{sign}{whole}.{}", decimals.trim_end_matches('0'))
    }
}

/// Why a number cannot be read as points, a weight or a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalError {
    /// The number has more decimals than are kept.
    TooManyDecimals,
    /// The number is larger than allowed, positive or negative.
    OutOfRange,
}

/// A JSON number times a power of ten, rounded half away from zero.
pub(crate) struct Scaled {
    pub(crate) value: i64,
    /// Whether nothing was rounded away.
    pub(crate) exact: bool,
}

impl Scaled {
    /// Reads the number times 10^`places` from its decimal text. Thus 15.125 is exactly 15 125 thousandths,
    /// without an error from a float.
    pub(crate) fn read(number: &Number, places: i32) -> Result<Self, DecimalError> {
        let text = number.to_string();
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((&text, "0"));
        let exponent: i32 = exponent.parse().map_err(|_| DecimalError::OutOfRange)?;
        let (whole, decimals) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{}", decimals.trim_end_matches('0'));
        let unscaled: i128 = digits.parse().map_err(|_| DecimalError::TooManyDecimals)?;
        if unscaled == 0 {
            return Ok(Self { value: 0, exact: true });
        }
        let kept =
            i32::try_from(decimals.trim_end_matches('0').len()).map_err(|_| DecimalError::OutOfRange)?;
        let shift = exponent.saturating_add(places).saturating_sub(kept);
        let Some(power) = 10_i128.checked_pow(shift.unsigned_abs()) else {
            let too_small = shift < 0;
            return if too_small {
                Ok(Self { value: 0, exact: false })
            } else {
                Err(DecimalError::OutOfRange)
            };
        };
        let (value, exact) = if shift >= 0 {
            (unscaled.checked_mul(power).ok_or(DecimalError::OutOfRange)?, true)
        } else {
            (divide(unscaled, power), unscaled % power == 0)
        };
        Ok(Self { value: i64::try_from(value).map_err(|_| DecimalError::OutOfRange)?, exact })
    }
}

/// `numerator / denominator`, rounded half away from zero. The denominator must be positive.
fn divide(numerator: i128, denominator: i128) -> i128 {
    let quotient = numerator / denominator;
    let remainder = numerator % denominator;
    if remainder.unsigned_abs() >= denominator.unsigned_abs().div_ceil(2) {
        quotient + numerator.signum()
    } else {
        quotient
    }
}

fn narrow(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Milli, DecimalError> {
        Milli::from_number(&serde_json::from_str(text).unwrap())
    }

    #[test]
    fn points_are_read_from_their_decimal_text() {
        assert_eq!(read("15.125"), Ok(Milli(15_125)));
        assert_eq!(read("-0.1"), Ok(Milli(-100)));
        assert_eq!(read("1e2"), Ok(Milli(100_000)));
        assert_eq!(read("3.0"), Ok(Milli(3_000)));
        assert_eq!(read("1000000"), Ok(Milli(1_000_000_000)));
    }

    #[test]
    fn a_fourth_decimal_and_a_million_and_one_are_refused() {
        assert_eq!(read("0.0005"), Err(DecimalError::TooManyDecimals));
        assert_eq!(read("1e-9"), Err(DecimalError::TooManyDecimals));
        assert_eq!(read("1000000.001"), Err(DecimalError::OutOfRange));
        assert_eq!(read("-1e300"), Err(DecimalError::OutOfRange));
        assert_eq!(read("1e-300"), Err(DecimalError::TooManyDecimals));
    }

    #[test]
    fn halves_round_away_from_zero() {
        assert_eq!(Milli(12_500).rounded_points(), 13);
        assert_eq!(Milli(-12_500).rounded_points(), -13);
        assert_eq!(Milli(12_499).rounded_points(), 12);
        assert_eq!(Milli(5).scaled(1, 3), Milli(2));
        assert_eq!(Milli(-1).scaled(1, 2), Milli(-1));
        assert_eq!(Milli(1).scaled(1, 3), Milli(0));
    }

    #[test]
    fn points_are_shown_without_trailing_zeros() {
        assert_eq!(Milli(15_125).to_string(), "15.125");
        assert_eq!(Milli(-500).to_string(), "-0.5");
        assert_eq!(Milli(40_000).to_string(), "40");
    }
}
