//! From the vectors of a text's tokens to the one of the text.

/// How the token vectors become one; sentence-transformers' names. Only the text's own tokens count, never padding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pooling {
    /// Their mean.
    Mean,
    /// The first one.
    Cls,
    /// The greatest number of each dimension.
    Max,
    /// Their sum over the square root of their number.
    MeanSqrtLen,
}

impl Pooling {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Cls => "cls",
            Self::Max => "max",
            Self::MeanSqrtLen => "mean_sqrt_len",
        }
    }

    /// Pools the vectors of a text's tokens, at least one.
    pub(super) fn pool<'a>(self, mut tokens: impl ExactSizeIterator<Item = &'a [f32]>) -> Vec<f32> {
        let count = tokens.len() as f32;
        match self {
            Self::Cls => tokens.next().unwrap_or_default().to_vec(),
            Self::Max => fold(tokens, f32::NEG_INFINITY, f32::max),
            Self::Mean => fold(tokens, 0.0, |sum, x| sum + x).into_iter().map(|sum| sum / count).collect(),
            Self::MeanSqrtLen => fold(tokens, 0.0, |sum, x| sum + x).into_iter().map(|sum| sum / count.sqrt()).collect(),
        }
    }
}

fn fold<'a>(rows: impl Iterator<Item = &'a [f32]>, start: f32, combine: fn(f32, f32) -> f32) -> Vec<f32> {
    let mut pooled: Vec<f32> = Vec::new();
    for row in rows {
        pooled.resize(row.len(), start);
        pooled.iter_mut().zip(row).for_each(|(sum, &x)| *sum = combine(*sum, x));
    }
    pooled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_pools_by_its_formula() {
        let tokens = [1.0, 2.0, 3.0, -4.0, 5.0, 8.0, 7.0, 2.0];
        assert_eq!(Pooling::Mean.pool(tokens.chunks_exact(2)), [4.0, 2.0]);
        assert_eq!(Pooling::Cls.pool(tokens.chunks_exact(2)), [1.0, 2.0]);
        assert_eq!(Pooling::Max.pool(tokens.chunks_exact(2)), [7.0, 8.0]);
        assert_eq!(Pooling::MeanSqrtLen.pool(tokens.chunks_exact(2)), [8.0, 4.0]);
    }
}
