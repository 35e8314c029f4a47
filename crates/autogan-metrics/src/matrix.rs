//! A [`Matrix`] holds `f32` values row after row. Extractors give it; scores compute in `f64`.

use candle_core::{CpuStorage, DType, Device, Storage, Tensor};

use crate::{Error, Result};

/// Row-major matrix `[rows, cols]` of `f32`.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    cols: usize,
    data: Vec<f32>,
}

impl Matrix {
    /// A matrix without rows.
    pub fn empty(cols: usize) -> Self {
        Self { cols, data: Vec::new() }
    }

    /// A matrix over `data`, row after row.
    ///
    /// # Errors
    /// [`Error::Shape`] when `cols` is 0 or does not divide the length of `data`.
    pub fn new(cols: usize, data: Vec<f32>) -> Result<Self> {
        if cols == 0 || !data.len().is_multiple_of(cols) {
            let expected = format!("a multiple of {cols} columns (at least 1)");
            return Err(Error::shape("matrix data", expected, format!("{} values", data.len())));
        }
        Ok(Self { cols, data })
    }

    /// The matrix of a tensor `[N, D]` of any float type.
    ///
    /// # Errors
    /// [`Error::Shape`] unless the tensor has two axes.
    pub fn from_tensor(tensor: &Tensor) -> Result<Self> {
        let cols = tensor.dims().get(1).copied().unwrap_or(0);
        let mut matrix = Self::empty(cols);
        matrix.push_tensor(tensor)?;
        Ok(matrix)
    }

    /// Appends the rows of a tensor `[N, cols]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the tensor is not two-dimensional with `cols` columns.
    pub fn push_tensor(&mut self, tensor: &Tensor) -> Result<()> {
        match tensor.dims() {
            &[_, cols] if cols == self.cols && cols > 0 => {
                let values = tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.contiguous()?;
                let (storage, layout) = values.storage_and_layout();
                match (&*storage, layout.contiguous_offsets()) {
                    // Copied once, as sets of features are large.
                    (Storage::Cpu(CpuStorage::F32(all)), Some((start, end))) => {
                        self.data.extend_from_slice(&all[start..end]);
                    }
                    _ => self.data.extend(values.flatten_all()?.to_vec1::<f32>()?),
                }
                Ok(())
            }
            dims => {
                let expected = format!("[N, {}]", self.cols);
                Err(Error::shape("rows to append", expected, format!("{dims:?}")))
            }
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.data.len().checked_div(self.cols).unwrap_or(0)
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// All values, row after row.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// One row.
    ///
    /// # Panics
    /// When `row` is not below [`Self::rows`].
    pub fn row(&self, row: usize) -> &[f32] {
        &self.data[row * self.cols..(row + 1) * self.cols]
    }

    /// The rows `range`, as a new matrix.
    ///
    /// # Panics
    /// When the range ends beyond [`Self::rows`].
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        Self {
            cols: self.cols,
            data: self.data[range.start * self.cols..range.end * self.cols].to_vec(),
        }
    }

    /// The rows at `indices`, in that order.
    ///
    /// # Panics
    /// When an index is not below [`Self::rows`].
    pub fn select(&self, indices: &[usize]) -> Self {
        let mut data = Vec::with_capacity(indices.len() * self.cols);
        for &index in indices {
            data.extend_from_slice(self.row(index));
        }
        Self { cols: self.cols, data }
    }

    /// Checks that every value is finite.
    ///
    /// # Errors
    /// [`Error::NotFinite`] with `what` and the flat index of the first value that is not.
    pub fn check_finite(&self, what: &str) -> Result<()> {
        match self.data.iter().position(|v| !v.is_finite()) {
            Some(index) => Err(Error::NotFinite { what: what.into(), index }),
            None => Ok(()),
        }
    }
}

/// Checks that two sets have the same number of columns.
pub(crate) fn same_cols(a: &Matrix, b: &Matrix) -> Result<()> {
    if a.cols() == b.cols() {
        return Ok(());
    }
    let expected = format!("{} columns in both", a.cols());
    let found = format!("{} columns in the second", b.cols());
    Err(Error::shape("features of the two sets", expected, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_selection() {
        let m = Matrix::new(2, vec![0., 1., 2., 3., 4., 5.]).unwrap();
        assert_eq!((m.rows(), m.cols()), (3, 2));
        assert_eq!(m.select(&[2, 0]).data(), &[4., 5., 0., 1.]);
        assert_eq!(m.slice(1..2).data(), &[2., 3.]);
        assert!(Matrix::new(4, vec![0.; 6]).is_err());
        assert!(Matrix::new(0, vec![]).is_err());
    }

    #[test]
    fn tensors_are_appended_and_checked() {
        let t = Tensor::new(&[[1f64, 2.], [3., 4.]], &Device::Cpu).unwrap();
        let mut m = Matrix::from_tensor(&t).unwrap();
        m.push_tensor(&t).unwrap();
        assert_eq!(m.rows(), 4);
        let wide = Tensor::zeros((1, 3), DType::F32, &Device::Cpu).unwrap();
        assert!(m.push_tensor(&wide).is_err());
        let bad = Matrix::new(1, vec![0., f32::NAN]).unwrap();
        let error = bad.check_finite("features").unwrap_err().to_string();
        assert!(error.contains("index 1"), "{error}");
    }
}
