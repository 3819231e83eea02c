"""How this room compiles: one place for the numba settings, so that results do not depend on the machine.

Nothing here asks for `fastmath`. LLVM then may neither reorder sums nor contract `a * b + c` into one rounding, so a
kernel gives the same bits with 128, 256 or 512-bit vectors and with or without fused multiply-add. Decisions made
from these numbers are replayed on other machines and must come out equal, which is worth more than the speed of FMA.
"""

import contextlib
import functools
import hashlib
import pathlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numba
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core.caching import FunctionCache
from numba.extending import intrinsic

Function = TypeVar("Function", bound=Callable[..., Any])

# Bytes the processor fetches at once.
LINE = 64

# Inputs may be views into Arrow buffers, which numpy marks read-only; a writable array converts to this for free.
F64_IN = types.Array(types.float64, 1, "C", readonly=True)
I8_IN = types.Array(types.int8, 1, "C", readonly=True)
I64_IN = types.Array(types.int64, 1, "C", readonly=True)
F64_OUT = types.Array(types.float64, 1, "C")
F64_OUT_2D = types.Array(types.float64, 2, "C")
U8_OUT = types.Array(types.uint8, 1, "C")


def inlined(function: Function) -> Function:
    """A scalar helper that other kernels call; LLVM inlines it into their loops, which lets them vectorise."""
    compiled: Any = numba.njit(error_model="numpy", nogil=True, forceinline=True)(function)
    return compiled  # type: ignore[no-any-return]


def inner(function: Function) -> Function:
    """As `inlined`, for helpers that nothing but kernels calls: without wrappers for Python and C, which for one that
    takes a state's arrays are most of its compile time."""
    decorate: Any = numba.njit(  # type: ignore[call-overload]  # numba's stub does not know the last two
        error_model="numpy", nogil=True, forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True
    )
    return decorate(function)  # type: ignore[no-any-return]


def called(function: Function) -> Function:
    """A large scalar helper of scalar loops: stays a call, so that it is compiled once and not in every place."""
    compiled: Any = numba.njit(error_model="numpy", nogil=True)(function)
    return compiled  # type: ignore[no-any-return]


@functools.cache
def _sources_digest(room: pathlib.Path) -> str:
    """What a room's kernels are made of: its source text and that of the shared ones, shortened to 48 bits."""
    digest = hashlib.sha256()
    here = pathlib.Path(__file__).parent
    for directory in sorted({room, here, here.parent / "market"}):
        for source in sorted(directory.glob("*.py")):
            digest.update(source.read_bytes())
    return digest.hexdigest()[:12]


@contextlib.contextmanager
def _without_blas() -> Iterator[None]:
    """Keep numba from importing scipy.linalg at its first compilation: 0.4 s of every start, for BLAS alone.

    No kernel may call BLAS anyway, whose order of summation differs between processors.
    """
    from numba.np import linalg

    def refused() -> None:
        raise ImportError("kernels have no BLAS")

    asked, linalg.ensure_blas = linalg.ensure_blas, refused
    try:
        yield
    finally:
        linalg.ensure_blas = asked


@intrinsic
def _prefetch(_: Any, array: Any, at: Any, line: Any) -> Any:
    """Ask the processor for cache line `line` of record `at`, without waiting for it (LLVM's `llvm.prefetch`)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        record = builder.gep(held.data, [arguments[1]])
        byte = builder.gep(
            builder.bitcast(record, pointer), [builder.mul(arguments[2], ir.Constant(arguments[2].type, LINE))]
        )
        function = builder.module.declare_intrinsic(
            "llvm.prefetch", (pointer,), ir.FunctionType(ir.VoidType(), [pointer, word, word, word])
        )
        # To be read, to be kept in every cache, and data.
        builder.call(function, [byte, *(ir.Constant(word, number) for number in (0, 3, 1))])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), generate


# Called by kernels only, where numba fills the first argument in.
prefetch: Any = _prefetch


class kernel:  # noqa: N801 - reads as the decorator it is
    """A compiled loop with one fixed signature, compiled (or loaded from numba's cache) at its first call.

    One signature keeps the compile count at one; waiting for the first call keeps imports free of compilation.
    The GIL is released inside, so callers may run kernels on their own threads.

    numba compares the types of all arguments with the signature at each call, which takes some thirty arrays of a state
    and a frame longer than a short frame's rows. A `trusting` kernel leaves that out: only for arrays whose types hold
    by construction, as a state's do, and a frame's columns do that `Pipeline.step` has looked at. Anything else it
    would read as bytes.
    """

    def __init__(self, *signature: Any, returns: Any = types.void, trusting: bool = False) -> None:
        self._signature = returns(*signature)
        self._trusting = trusting
        self._function: Callable[..., Any] | None = None
        self._compiled: Any = None
        self._call: Any = None

    def __call__(self, *arguments: Any) -> Any:
        if self._function is None:
            (self._function,) = arguments
            self.__doc__ = self._function.__doc__
            return self
        if self._call is None:
            compiled = self.compile()
            self._call = next(iter(compiled.overloads.values())).entry_point if self._trusting else compiled
        return self._call(*arguments)

    def compile(self) -> Any:
        """The numba dispatcher, compiled now if it was not yet."""
        if self._compiled is None:
            assert self._function is not None, "a kernel decorates a function"
            self._function.__qualname__ = self._cached_as()
            with _without_blas():
                decorate: Any = numba.njit(self._signature, error_model="numpy", nogil=True, cache=True)
                self._compiled = decorate(self._function)
        return self._compiled

    def _cached_as(self) -> str:
        """numba names the cached machine code after the function and looks only at the function's own file; the digest
        makes a change in a helper's file a new name, so stale code is never run."""
        assert self._function is not None, "a kernel decorates a function"
        room = pathlib.Path(self._function.__code__.co_filename).parent
        return f"{self._function.__name__}_{_sources_digest(room)}"

    def is_cached(self) -> bool:
        """Whether machine code of these sources lies in numba's cache, by its index file."""
        folder = pathlib.Path(FunctionCache(self._function).cache_path)  # type: ignore[no-untyped-call]
        return any(folder.glob(f"*.{self._cached_as()}-*.nbi"))

    def assembly(self) -> str:
        """The machine code, for the test that asserts the loop is vectorised."""
        (text,) = self.compile().inspect_asm().values()
        return str(text)
