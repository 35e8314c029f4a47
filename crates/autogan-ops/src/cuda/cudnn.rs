//! cuDNN runs convolutions here by the fastest algorithm that always gives the same bits, looked for once per shape.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ffi::{c_int, c_void};
use std::ptr::{from_ref, null_mut};
use std::rc::Rc;

use candle_core::cuda_backend::DeviceId;
use candle_core::cuda_backend::cudarc::cudnn::{CudnnError, result, sys};
use candle_core::{CudaDevice, Error, Result, bail};

use super::launch::{ConvSizes, Convolution, Gpu};
use crate::precision::Precision;

/// Memory that an algorithm may take, at most: 1 GiB.
const MOST_MEMORY: usize = 1 << 30;

/// Algorithms that are asked for; cuDNN knows fewer of each kind.
const ALGORITHMS: usize = 16;

fn library(error: CudnnError) -> Error {
    Error::msg(format!("cuDNN: {error:?}"))
}

thread_local! {
    static LIBRARIES: RefCell<HashMap<DeviceId, Rc<Library>>> = RefCell::default();
}

/// The sizes of a convolution, and what it computes in.
type Key = ([i32; 12], Precision);

/// cuDNN for one GPU and one thread, and what it found for the shapes that it met in each precision.
struct Library {
    handle: sys::cudnnHandle_t,
    plans: RefCell<HashMap<Key, Rc<Plan>>>,
}

impl Drop for Library {
    fn drop(&mut self) {
        self.plans.borrow_mut().clear();
        // SAFETY: `of` made the handle, this is its only owner, and it ends here. An error cannot be passed on.
        let _ = unsafe { result::destroy_handle(self.handle) };
    }
}

impl Library {
    fn of(device: &CudaDevice) -> Result<Rc<Self>> {
        if let Some(known) = LIBRARIES.with_borrow(|all| all.get(&device.id()).cloned()) {
            return Ok(known);
        }
        let handle = result::create_handle().map_err(library)?;
        let made = Rc::new(Self { handle, plans: RefCell::default() });
        let stream = device.cuda_stream().cu_stream();
        // SAFETY: the handle is new and nobody else's. The device owns the stream, and whoever calls cuDNN through this
        // library holds tensors, which own the device.
        unsafe { result::set_stream(handle, stream.cast()) }.map_err(library)?;
        LIBRARIES.with_borrow_mut(|all| all.insert(device.id(), made.clone()));
        Ok(made)
    }

    fn plan(&self, sizes: &ConvSizes, precision: Precision) -> Result<Rc<Plan>> {
        let key = (sizes.0, precision);
        if let Some(known) = self.plans.borrow().get(&key) {
            return Ok(known.clone());
        }
        let made = Rc::new(Plan::new(sizes, precision)?);
        self.plans.borrow_mut().insert(key, made.clone());
        Ok(made)
    }
}

/// An algorithm, the bytes that it works in, and the arithmetic with which it takes as many.
#[derive(Clone, Copy)]
struct Choice<A> {
    algorithm: A,
    memory: usize,
    math: sys::cudnnMathType_t,
}

impl<A> Choice<A> {
    fn needs(&self) -> (usize, sys::cudnnMathType_t) {
        (self.memory, self.math)
    }
}

/// The shapes of one convolution as cuDNN has them, and its algorithms.
struct Plan {
    precision: Precision,
    /// The arithmetic that algorithms are looked for with.
    math: sys::cudnnMathType_t,
    x: sys::cudnnTensorDescriptor_t,
    y: sys::cudnnTensorDescriptor_t,
    weight: sys::cudnnFilterDescriptor_t,
    convolution: sys::cudnnConvolutionDescriptor_t,
    forward: OnceCell<Choice<sys::cudnnConvolutionFwdAlgo_t>>,
    input: OnceCell<Choice<sys::cudnnConvolutionBwdDataAlgo_t>>,
    kernel: OnceCell<Choice<sys::cudnnConvolutionBwdFilterAlgo_t>>,
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: `Plan::new` made each that is not null, the plan is its only owner and ends here, and cuDNN keeps none of
        // them beyond a call.
        unsafe {
            if !self.x.is_null() {
                let _ = result::destroy_tensor_descriptor(self.x);
            }
            if !self.y.is_null() {
                let _ = result::destroy_tensor_descriptor(self.y);
            }
            if !self.weight.is_null() {
                let _ = result::destroy_filter_descriptor(self.weight);
            }
            if !self.convolution.is_null() {
                let _ = result::destroy_convolution_descriptor(self.convolution);
            }
        }
    }
}

/// The first algorithm, in cuDNN's order from the fastest, that works, always gives the same bits, and fits.
macro_rules! choose {
    ($plan:expr, $ask:expr, $kind:ty, $what:literal) => {{
        // SAFETY: a struct of C's numbers and enumerations, each of which has a value 0; only the first `count` elements,
        // which cuDNN fills, are looked at.
        let mut found: [$kind; ALGORITHMS] = unsafe { std::mem::zeroed() };
        let mut count: c_int = 0;
        $plan.reset_math()?;
        if let Err(error) = $ask(ALGORITHMS as c_int, &mut count, found.as_mut_ptr()) {
            bail!("cuDNN: {error:?} when asked for {}{}", $what, $plan.remedy());
        }
        let fits = |found: &&$kind| {
            found.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
                && found.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC
                && found.memory <= MOST_MEMORY
        };
        match found.iter().take(count.max(0) as usize).find(fits) {
            Some(found) => {
                Choice { algorithm: found.algo, memory: found.memory, math: found.mathType }
            }
            None => {
                let (what, remedy) = ($what, $plan.remedy());
                bail!("cuDNN has no deterministic algorithm for {what} of this shape{remedy}")
            }
        }
    }};
}

impl Plan {
    /// What may help where cuDNN has no algorithm.
    fn remedy(&self) -> &'static str {
        match self.precision {
            Precision::Bf16 => "; in bf16 it has some on GPUs of compute capability 8.0 or later",
            Precision::F32 | Precision::Tf32 => "",
        }
    }

    fn new(ConvSizes(sizes): &ConvSizes, precision: Precision) -> Result<Self> {
        let [n, ci, h, w, co, kh, kw, ho, wo, stride, pad_h, pad_w] = *sizes;
        let (kind, math) = match precision {
            Precision::F32 => (FLOAT, sys::cudnnMathType_t::CUDNN_FMA_MATH),
            // TF32 belongs to the default.
            Precision::Tf32 => (FLOAT, sys::cudnnMathType_t::CUDNN_DEFAULT_MATH),
            Precision::Bf16 => (
                sys::cudnnDataType_t::CUDNN_DATA_BFLOAT16,
                sys::cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
            ),
        };
        let mut plan = Self {
            precision,
            math,
            x: null_mut(),
            y: null_mut(),
            weight: null_mut(),
            convolution: null_mut(),
            forward: OnceCell::new(),
            input: OnceCell::new(),
            kernel: OnceCell::new(),
        };
        plan.x = tensor(kind, [n, ci, h, w])?;
        plan.y = tensor(kind, [n, co, ho, wo])?;
        plan.weight = result::create_filter_descriptor().map_err(library)?;
        plan.convolution = result::create_convolution_descriptor().map_err(library)?;
        // SAFETY: both descriptors were just made, and the plan owns them.
        unsafe {
            result::set_filter4d_descriptor(plan.weight, kind, LAYOUT, [co, ci, kh, kw])
                .map_err(library)?;
            result::set_convolution2d_descriptor(
                plan.convolution,
                pad_h,
                pad_w,
                stride,
                stride,
                1,
                1,
                sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
                FLOAT,
            )
            .map_err(library)?;
        }
        Ok(plan)
    }

    /// Sets the descriptor's arithmetic, on which the algorithms found depend; a run may have left another.
    fn reset_math(&self) -> Result<()> {
        // SAFETY: the plan made the descriptor and owns it.
        unsafe { result::set_convolution_math_type(self.convolution, self.math) }.map_err(library)
    }

    fn forward(
        &self,
        handle: sys::cudnnHandle_t,
    ) -> Result<Choice<sys::cudnnConvolutionFwdAlgo_t>> {
        if let Some(known) = self.forward.get() {
            return Ok(*known);
        }
        // SAFETY: the library owns the handle and the plan its descriptors, and both are borrowed here; `list` has room for
        // `most` elements.
        let ask = |most, count: &mut c_int, list| unsafe {
            let (x, w, c, y) = (self.x, self.weight, self.convolution, self.y);
            result::get_convolution_forward_algorithm(handle, x, w, c, y, most, count, list)
        };
        let found = choose!(self, ask, sys::cudnnConvolutionFwdAlgoPerf_t, "a convolution");
        Ok(*self.forward.get_or_init(|| found))
    }

    fn input(
        &self,
        handle: sys::cudnnHandle_t,
    ) -> Result<Choice<sys::cudnnConvolutionBwdDataAlgo_t>> {
        if let Some(known) = self.input.get() {
            return Ok(*known);
        }
        // SAFETY: as in `forward`.
        let ask = |most, count: &mut c_int, list| unsafe {
            let (w, dy, c, dx) = (self.weight, self.y, self.convolution, self.x);
            result::get_convolution_backward_data_algorithm(handle, w, dy, c, dx, most, count, list)
        };
        let found = choose!(self, ask, sys::cudnnConvolutionBwdDataAlgoPerf_t, "an input gradient");
        Ok(*self.input.get_or_init(|| found))
    }

    fn kernel(
        &self,
        handle: sys::cudnnHandle_t,
    ) -> Result<Choice<sys::cudnnConvolutionBwdFilterAlgo_t>> {
        if let Some(known) = self.kernel.get() {
            return Ok(*known);
        }
        // SAFETY: as in `forward`.
        let ask = |most, count: &mut c_int, list| unsafe {
            let (x, dy, c, dw) = (self.x, self.y, self.convolution, self.weight);
            result::get_convolution_backward_filter_algorithm(
                handle, x, dy, c, dw, most, count, list,
            )
        };
        let found =
            choose!(self, ask, sys::cudnnConvolutionBwdFilterAlgoPerf_t, "a weight gradient");
        Ok(*self.kernel.get_or_init(|| found))
    }
}

const FLOAT: sys::cudnnDataType_t = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
const LAYOUT: sys::cudnnTensorFormat_t = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NCHW;

fn tensor(kind: sys::cudnnDataType_t, shape: [c_int; 4]) -> Result<sys::cudnnTensorDescriptor_t> {
    let made = result::create_tensor_descriptor().map_err(library)?;
    // SAFETY: the descriptor was just made and is ours.
    unsafe { result::set_tensor4d_descriptor(made, LAYOUT, kind, shape) }.map_err(library)?;
    Ok(made)
}

/// Runs one convolution: from two tensors to a third, all at these addresses. In bf16 their values are of that type; sums
/// are f32 always.
pub(super) fn convolve(
    gpu: &dyn Gpu,
    device: &CudaDevice,
    (which, precision): (Convolution, Precision),
    sizes: &ConvSizes,
    (first, second, out): (u64, u64, u64),
) -> Result<()> {
    let cudnn = Library::of(device)?;
    let (plan, handle) = (cudnn.plan(sizes, precision)?, cudnn.handle);
    let (one, zero) = (1.0f32, 0.0f32);
    let (alpha, beta) = (from_ref(&one).cast::<c_void>(), from_ref(&zero).cast::<c_void>());
    let (first, second, out) =
        (first as *const c_void, second as *const c_void, out as *mut c_void);
    let Plan { x, y, weight, convolution, .. } = *plan;
    let (memory, math) = match which {
        Convolution::Forward => plan.forward(handle)?.needs(),
        Convolution::InputGradient => plan.input(handle)?.needs(),
        Convolution::WeightGradient => plan.kernel(handle)?.needs(),
    };
    if precision != Precision::F32 {
        // cuDNN lists an algorithm with tensor cores and without them, each with its memory.
        // SAFETY: the plan, which is held here, owns the descriptor.
        unsafe { result::set_convolution_math_type(convolution, math) }.map_err(library)?;
    }
    let room = gpu.room(memory)?;
    let work = room.address() as *mut c_void;
    // SAFETY: the operator checked that the tensors behind the addresses have the plan's shapes, and holds them until this
    // returns; in bf16 they are rooms of as many values, which it holds as well. The room is as large as the algorithm
    // asks. All this memory is given back in the stream's order, behind the convolution. `alpha` and `beta` are read before
    // the call returns.
    unsafe {
        match which {
            Convolution::Forward => result::convolution_forward(
                handle,
                alpha,
                x,
                first,
                weight,
                second,
                convolution,
                plan.forward(handle)?.algorithm,
                work,
                memory,
                beta,
                y,
                out,
            ),
            Convolution::InputGradient => result::convolution_backward_data(
                handle,
                alpha,
                weight,
                second,
                y,
                first,
                convolution,
                plan.input(handle)?.algorithm,
                work,
                memory,
                beta,
                x,
                out,
            ),
            Convolution::WeightGradient => result::convolution_backward_filter(
                handle,
                alpha,
                x,
                first,
                y,
                second,
                convolution,
                plan.kernel(handle)?.algorithm,
                work,
                memory,
                beta,
                weight,
                out,
            ),
        }
    }
    .map_err(library)
}
