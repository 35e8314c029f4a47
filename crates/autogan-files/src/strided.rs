//! This module gathers strided views of elements into rows without gaps.

/// Returns the elements of a view in row-major order: `dims` and `strides` (both in elements, one of each per axis) of
/// elements of `size` bytes, the first of which is element `start` of `data`.
///
/// `None` when the view leaves `data`. The result is as long as the dimensions say: bound those of a foreign file first,
/// since a stride of 0 repeats elements.
#[must_use]
pub fn gather(
    data: &[u8],
    size: usize,
    start: usize,
    dims: &[usize],
    strides: &[usize],
) -> Option<Vec<u8>> {
    let bytes = dims.iter().try_fold(size, |product, &dim| product.checked_mul(dim))?;
    if bytes == 0 {
        return Some(Vec::new());
    }
    if is_contiguous(dims, strides) {
        let start = start.checked_mul(size)?;
        return data.get(start..start.checked_add(bytes)?).map(<[u8]>::to_vec);
    }
    let mut gathered = Vec::with_capacity(bytes);
    let mut index = vec![0usize; dims.len()];
    let mut at = start;
    while gathered.len() < bytes {
        let from = at.checked_mul(size)?;
        gathered.extend_from_slice(data.get(from..from.checked_add(size)?)?);
        // The last index runs fastest; an index that wraps goes back to its first element.
        for (axis, place) in index.iter_mut().enumerate().rev() {
            *place += 1;
            if *place < dims[axis] {
                at = at.checked_add(strides[axis])?;
                break;
            }
            at -= strides[axis] * (dims[axis] - 1);
            *place = 0;
        }
    }
    Some(gathered)
}

/// The strides, in elements, of an array of these dimensions in row-major order.
#[must_use]
pub fn row_major(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = usize::saturating_mul(strides[axis], dims[axis].max(1));
    }
    strides
}

/// Whether the elements lie in row-major order without gaps (dimensions of 1 have any stride).
fn is_contiguous(dims: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1usize;
    dims.iter().zip(strides).rev().all(|(&dim, &stride)| {
        let fits = dim == 1 || stride == expected;
        expected = expected.saturating_mul(dim);
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_are_gathered_in_row_major_order() {
        let data: Vec<u8> = (0..12).collect();
        let gathered =
            |start, dims: &[usize], strides: &[usize]| gather(&data, 1, start, dims, strides);
        assert_eq!(gathered(2, &[2, 3], &[3, 1]).unwrap(), [2, 3, 4, 5, 6, 7]);
        assert_eq!(gathered(0, &[3, 2], &[1, 3]).unwrap(), [0, 3, 1, 4, 2, 5]);
        assert_eq!(gathered(1, &[2, 2, 2], &[0, 4, 2]).unwrap(), [1, 3, 5, 7, 1, 3, 5, 7]);
        assert_eq!(gathered(11, &[], &[]).unwrap(), [11]);
        assert_eq!(gathered(5, &[1, 1], &[99, 77]).unwrap(), [5]);
        assert!(gathered(0, &[4, 0], &[1, 1]).unwrap().is_empty());
        let words = gather(&data, 2, 1, &[2, 2], &[1, 2]).unwrap();
        assert_eq!(words, [2, 3, 6, 7, 4, 5, 8, 9]);
    }

    #[test]
    fn a_view_that_leaves_the_data_is_none() {
        assert_eq!(gather(&[0; 4], 1, 0, &[5], &[1]), None);
        assert_eq!(gather(&[0; 4], 1, 0, &[2, 2], &[4, 2]), None);
        assert_eq!(gather(&[0; 4], 1, 0, &[2, 2], &[usize::MAX, 1]), None);
        assert_eq!(gather(&[0; 4], 8, usize::MAX, &[1], &[1]), None);
        assert_eq!(gather(&[0; 4], 1, 0, &[usize::MAX, usize::MAX], &[0, 0]), None);
    }
}
