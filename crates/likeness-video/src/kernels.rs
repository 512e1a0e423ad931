//! The inner loops that run on every pixel, each compiled twice from one source: for any processor,
//! and for AVX2, which is chosen at run time. Neither reorders arithmetic, so both give the same bits.
//!
//! Sums wrap, because the check for overflow that the rest of the program is built with keeps loops
//! from using wide registers: callers keep them in range, as each loop says.
//!
//! Public only for the micro benchmarks.

macro_rules! kernels {
    ($($(#[$doc:meta])* fn $name:ident($($arg:ident: $kind:ty),* $(,)?) $body:block)*) => {
        /// The same loops for any processor.
        pub mod scalar {
            $($(#[$doc])* #[inline(always)] pub fn $name($($arg: $kind),*) $body)*
        }

        #[cfg(target_arch = "x86_64")]
        mod avx2 {
            $(#[target_feature(enable = "avx2")]
            pub(super) fn $name($($arg: $kind),*) {
                super::scalar::$name($($arg),*);
            })*
        }

        $($(#[$doc])*
        #[inline]
        pub fn $name($($arg: $kind),*) {
            #[cfg(target_arch = "x86_64")]
            if is_x86_feature_detected!("avx2") {
                // SAFETY: the processor has AVX2, the only thing that the callee asks for.
                return unsafe { avx2::$name($($arg),*) };
            }
            scalar::$name($($arg),*);
        })*
    };
}

kernels! {
    /// Adds a row of pixels, each times `weight`, to `sums`; the weights of one sum add up to 2^24 at
    /// most.
    fn add_weighted(sums: &mut [u32], row: &[u8], weight: u16) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum = sum.wrapping_add(u32::from(value) * u32::from(weight));
        }
    }

    /// Adds a row of pixels to `sums`; 257 rows at most.
    fn add_row(sums: &mut [u16], row: &[u8]) {
        for (sum, &value) in sums.iter_mut().zip(row) {
            *sum = sum.wrapping_add(u16::from(value));
        }
    }

    /// Means over five columns of sums over five rows of pixels, for all pixels but two at either end.
    fn box_row(columns: &[u16], out: &mut [u8]) {
        let Some(inner) = columns.len().checked_sub(4) else {
            return;
        };
        let shifted = |by: usize| &columns[by..][..inner];
        let (a, b, c, d, e) = (shifted(0), shifted(1), shifted(2), shifted(3), shifted(4));
        for (x, out) in out[2..][..inner].iter_mut().enumerate() {
            let near = [a[x], b[x], c[x], d[x], e[x]].map(u32::from);
            let sum = near.into_iter().fold(0u32, u32::wrapping_add);
            // 5243 / 2^17 is 1/25 to all the digits that matter.
            *out = (sum.wrapping_mul(5243) >> 17) as u8;
        }
    }

    /// Products of the gradients `(gx, gy)` of one row of a picture, which lies between two others;
    /// `products` are `gx gx`, `gx gy` and `gy gy`. The first and last pixel are left alone.
    fn gradient_products(rows: [&[u8]; 3], products: [&mut [f32]; 3]) {
        let [above, level, below] = rows;
        let [xx, xy, yy] = products;
        let Some(inner) = level.len().checked_sub(2) else {
            return;
        };
        let (left, right) = (&level[..inner], &level[2..]);
        let (above, below) = (&above[1..][..inner], &below[1..][..inner]);
        let (xx, xy, yy) = (&mut xx[1..][..inner], &mut xy[1..][..inner], &mut yy[1..][..inner]);
        for x in 0..inner {
            let gx = f32::from(right[x]) - f32::from(left[x]);
            let gy = f32::from(below[x]) - f32::from(above[x]);
            xx[x] = gx * gx;
            xy[x] = gx * gy;
            yy[x] = gy * gy;
        }
    }

    /// Sums of five rows.
    fn sum_rows(rows: [&[f32]; 5], out: &mut [f32]) {
        let [a, b, c, d, e] = rows.map(|row| &row[..out.len()]);
        for (x, out) in out.iter_mut().enumerate() {
            *out = a[x] + b[x] + c[x] + d[x] + e[x];
        }
    }

    /// Smaller eigenvalues of the structure tensors whose entries, summed over five rows, are
    /// `sums` (xx, xy, yy), and are summed over five columns here. All pixels but two at either end.
    fn smaller_eigenvalues(sums: [&[f32]; 3], out: &mut [f32]) {
        let Some(inner) = out.len().checked_sub(4) else {
            return;
        };
        let [xx, xy, yy] = sums.map(|row| &row[..inner + 4]);
        let five = |row: &[f32], x: usize| row[x] + row[x + 1] + row[x + 2] + row[x + 3] + row[x + 4];
        for (x, out) in out[2..][..inner].iter_mut().enumerate() {
            let (a, b, c) = (five(xx, x), five(xy, x), five(yy, x));
            let root = ((a - c) * (a - c) + 4.0 * b * b).sqrt();
            *out = (a + c - root) / 50.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Widths around a register's, and too narrow ones.
    const WIDTHS: [usize; 8] = [0, 1, 3, 5, 16, 31, 64, 197];

    fn bytes(length: usize, seed: u32) -> Vec<u8> {
        (0..length as u32)
            .map(|i| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect()
    }

    fn floats(length: usize, seed: u32) -> Vec<f32> {
        bytes(length, seed)
            .into_iter()
            .map(|v| f32::from(v) * 1.7)
            .collect()
    }

    #[test]
    fn both_compilations_give_the_same_bits() {
        for w in WIDTHS {
            let (row, columns) = (bytes(w, 1), bytes(w, 2));
            let columns: Vec<u16> = columns.into_iter().map(|v| u16::from(v) * 5).collect();
            let check = |name: &str, same: bool| assert!(same, "{name} differs at width {w}");

            let mut sums = [vec![7u32; w], vec![7u32; w]];
            add_weighted(&mut sums[0], &row, 4096);
            scalar::add_weighted(&mut sums[1], &row, 4096);
            check("add_weighted", sums[0] == sums[1]);

            let mut sums = [columns.clone(), columns.clone()];
            add_row(&mut sums[0], &row);
            scalar::add_row(&mut sums[1], &row);
            check("add_row", sums[0] == sums[1]);

            let mut out = [row.clone(), row.clone()];
            box_row(&columns, &mut out[0]);
            scalar::box_row(&columns, &mut out[1]);
            check("box_row", out[0] == out[1]);

            let rows = [3, 4, 5].map(|seed| bytes(w, seed));
            let products = |kernel: fn([&[u8]; 3], [&mut [f32]; 3])| {
                let mut planes = [vec![0.5; w], vec![0.5; w], vec![0.5; w]];
                let [xx, xy, yy] = &mut planes;
                kernel([&rows[0], &rows[1], &rows[2]], [xx, xy, yy]);
                planes
            };
            let (fast, plain) = (
                products(gradient_products),
                products(scalar::gradient_products),
            );
            check("gradient_products", fast == plain);

            let rows = [1, 2, 3, 4, 5].map(|seed| floats(w, seed));
            let rows: [&[f32]; 5] = [&rows[0], &rows[1], &rows[2], &rows[3], &rows[4]];
            let mut out = [vec![0.0; w], vec![0.0; w]];
            sum_rows(rows, &mut out[0]);
            scalar::sum_rows(rows, &mut out[1]);
            check("sum_rows", out[0] == out[1]);

            let mut out = [vec![0.5; w], vec![0.5; w]];
            smaller_eigenvalues([&plain[0], &plain[1], &plain[2]], &mut out[0]);
            scalar::smaller_eigenvalues([&plain[0], &plain[1], &plain[2]], &mut out[1]);
            check("smaller_eigenvalues", out[0] == out[1]);
        }
    }
}
