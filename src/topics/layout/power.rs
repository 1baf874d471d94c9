//! Powers and exponentials of f32 from additions and multiplications alone.
//!
//! The system's own differ from system to system, and so would maps; and they cannot be computed side by side in vectors. These are
//! right to one in ten thousand, which a map does not see: the polynomials have the least largest error at their degree.

/// `x` to the power of `y`, for a normal `x` above 0 and a result between 2^-126 and 2^127.
#[inline(always)]
pub(super) fn power(x: f32, y: f32) -> f32 {
    exp2(y * log2(x))
}

/// e to the power of `x`, for `x` up to 0.
pub(super) fn exp(x: f32) -> f32 {
    exp2((x * std::f32::consts::LOG2_E).max(-126.0))
}

/// The exponent, and a polynomial of the mantissa between 2/3 and 4/3.
#[inline(always)]
fn log2(x: f32) -> f32 {
    const TWO_THIRDS: i32 = 0x3f2a_aaab;
    const SERIES: [f32; 5] = [1.442_716_2, -0.720_299_4, 0.478_471_9, -0.397_281_1, 0.333_74];
    let bits = x.to_bits().cast_signed();
    let exponent = bits.wrapping_sub(TWO_THIRDS) >> 23;
    let mantissa = f32::from_bits(bits.wrapping_sub(exponent << 23).cast_unsigned());
    let t = mantissa - 1.0;
    let series = SERIES[0] + t * (SERIES[1] + t * (SERIES[2] + t * (SERIES[3] + t * SERIES[4])));
    exponent as f32 + t * series
}

/// The nearest whole number goes to the exponent, the rest through a polynomial.
#[inline(always)]
fn exp2(x: f32) -> f32 {
    // Added to a small number, it leaves the number's whole part in the last bits.
    const SHIFT: f32 = 12_582_912.0;
    const SERIES: [f32; 4] = [0.999_924_5, 0.693_105_3, 0.242_64, 0.056_005_8];
    let shifted = x + SHIFT;
    let rest = x - (shifted - SHIFT);
    let series = SERIES[0] + rest * (SERIES[1] + rest * (SERIES[2] + rest * SERIES[3]));
    f32::from_bits(series.to_bits().wrapping_add(shifted.to_bits() << 23))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_and_exponentials_are_those_of_the_system_nearly() {
        for step in -400..400 {
            let x = 1.07f32.powi(step).max(1e-12);
            let right = x.powf(0.895);
            assert!((power(x, 0.895) - right).abs() <= 2e-4 * right, "{x}: {} against {right}", power(x, 0.895));
            let x = -0.2 * step.abs() as f32;
            assert!((exp(x) - x.exp()).abs() <= 2e-4 * x.exp() + 1e-37, "{x}: {} against {}", exp(x), x.exp());
        }
    }
}
