//! The assignment problem: partners for rows among columns, so that the sum of what the pairs are worth is largest.

/// The column of each row, each column at most once; none where a pair would be worth nothing. `worth` has a row of as many numbers
/// for each row; what is not above 0 is never taken.
///
/// The Hungarian method with potentials (Kuhn, "The Hungarian Method for the assignment problem", 1955), in O(n³). Of equally good
/// answers always the same one.
pub(super) fn assign(worth: &[Vec<f64>]) -> Vec<Option<usize>> {
    let (rows, columns) = (worth.len(), worth.first().map_or(0, Vec::len));
    // Each row has a column of its own in which it is worth nothing, so that there is always an answer.
    let all = columns + rows;
    let cost = |row: usize, column: usize| if column < columns { -worth[row][column].max(0.0) } else { 0.0 };
    let (mut of_row, mut of_column) = (vec![0.0; rows], vec![0.0; all]);
    let mut owner: Vec<Option<usize>> = vec![None; all];
    for row in 0..rows {
        place(row, &cost, &mut of_row, &mut of_column, &mut owner);
    }
    let mut partner = vec![None; rows];
    for (column, owner) in owner.into_iter().enumerate().take(columns) {
        if let Some(row) = owner.filter(|row| worth[*row][column] > 0.0) {
            partner[row] = Some(column);
        }
    }
    partner
}

/// Gives one more row a column, along the cheapest path of rows that change theirs.
fn place(new: usize, cost: &impl Fn(usize, usize) -> f64, of_row: &mut [f64], of_column: &mut [f64], owner: &mut [Option<usize>]) {
    let all = owner.len();
    let (mut least, mut from) = (vec![f64::INFINITY; all], vec![None; all]);
    let mut is_done = vec![false; all];
    let (mut row, mut last) = (new, None);
    let end = loop {
        let (mut step, mut next) = (f64::INFINITY, 0);
        for column in (0..all).filter(|column| !is_done[*column]) {
            let reduced = cost(row, column) - of_row[row] - of_column[column];
            if reduced < least[column] {
                (least[column], from[column]) = (reduced, last);
            }
            if least[column] < step {
                (step, next) = (least[column], column);
            }
        }
        of_row[new] += step;
        for column in 0..all {
            match (is_done[column], owner[column]) {
                (true, Some(row)) => {
                    of_row[row] += step;
                    of_column[column] -= step;
                }
                _ => least[column] -= step,
            }
        }
        is_done[next] = true;
        match owner[next] {
            Some(owner) => (row, last) = (owner, Some(next)),
            None => break next,
        }
    };
    let mut at = end;
    while let Some(before) = from[at] {
        owner[at] = owner[before];
        at = before;
    }
    owner[at] = Some(new);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The best sum, by trying all.
    fn best(worth: &[Vec<f64>], row: usize, taken: &mut Vec<bool>) -> f64 {
        if row == worth.len() {
            return 0.0;
        }
        let mut most = best(worth, row + 1, taken);
        for column in 0..worth[row].len() {
            if !taken[column] && worth[row][column] > 0.0 {
                taken[column] = true;
                most = most.max(worth[row][column] + best(worth, row + 1, taken));
                taken[column] = false;
            }
        }
        most
    }

    #[test]
    fn no_other_pairs_are_worth_more() {
        let mut state = 7u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f64 / (1u64 << 24) as f64 - 0.3
        };
        for (rows, columns) in [(1, 1), (3, 3), (5, 4), (4, 6), (6, 6), (2, 0), (0, 0)] {
            for _ in 0..30 {
                let worth: Vec<Vec<f64>> = (0..rows).map(|_| (0..columns).map(|_| random()).collect()).collect();
                let found = assign(&worth);
                let mut seen: Vec<usize> = found.iter().flatten().copied().collect();
                let sum: f64 = found.iter().enumerate().filter_map(|(row, column)| column.map(|column| worth[row][column])).sum();
                assert!((sum - best(&worth, 0, &mut vec![false; columns])).abs() < 1e-9, "{worth:?}: {found:?}");
                seen.sort_unstable();
                assert!(seen.windows(2).all(|pair| pair[0] < pair[1]) && found.len() == rows);
            }
        }
    }
}
