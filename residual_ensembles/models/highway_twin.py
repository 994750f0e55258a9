"""A residual network as a highway network whose gates are all one half (section 2).

With t = ½, equation 3 is half of equation 1: `½ f(y) + ½ y`. After module i, activations are then
2^-i of the residual network's, and module i sees c · y with c = 2^-(i-1). It gives c · f(y), as the
residual network would, if two things follow:

    the batch norm that it begins with     mean' = c · mean,   var' = c² · var,
                                           gamma' = gamma · √(var' + ε) / (c · √(var + ε))
    its last convolution                   W' = c · W

Means and variances are those that the highway network would measure itself; gamma' is gamma save
for the ε that the variance is added to, which does not shrink with it. Layers between that norm and
the last convolution have the same inputs as before, projections are linear and stay, and the head's
batch norm is rescaled like the others, with c = 2^-n.
"""

import math

import numpy as np

from residual_ensembles.arguments import checked
from residual_ensembles.models.chain import Chain
from residual_ensembles.models.highway import HighwayModule, transform_gate
from residual_ensembles.models.lowering import Convolution, Norm, lowered, primitives
from residual_ensembles.models.module import Module
from residual_ensembles.models.resnet import ModuleSpec

HALF = 0.0
"""The bias at which a gate without weights is sigmoid(0) = ½."""
MAX_MODULES = 100
"""Float32 ends at 2^-126, and gamma' is about 2^(n-8)."""


@checked
def can_have_half_gates(chain: Chain) -> bool:
    """Whether `half_gates` can rescale a chain: a pre-activation residual network, not too deep.

    Example:
        >>> can_have_half_gates(chain), can_have_half_gates(half_gates(chain))
        (True, False)
    """
    return len(_preactivations(chain)) == len(chain.modules) <= MAX_MODULES


@checked
def half_gates(chain: Chain) -> Chain:
    """Returns the highway network that gives the same logits with every gate at ½.

    Args:
        chain: A pre-activation residual network; it is not changed. The survival probability of a
            module becomes part of its last convolution.

    Raises:
        ValueError: It is another kind of network, or deeper than float32 can be halved.

    Example:
        >>> import numpy as np
        >>> twin = half_gates(chain)
        >>> np.allclose(twin(images), chain(images), rtol=1e-3, atol=1e-4)
        True
    """
    if not can_have_half_gates(chain):
        raise ValueError(
            f"Received {chain.name}, expected a pre-activation residual network of at most "
            f"{MAX_MODULES} modules, such as models.build('resnet', 110, …) returns."
        )
    copy = Chain.from_config(chain.get_config())
    copy.set_weights(chain.get_weights())
    modules = []
    for i, (module, pairs) in enumerate(zip(copy.modules, _preactivations(copy), strict=True)):
        (norm, _), (_, last) = pairs[0], pairs[-1]
        _rescale(norm, 2.0**-i)
        last.kernel.assign(np.asarray(last.kernel) * (module.survival_probability * 2.0**-i))
        modules.append(_highway(module, math.prod(conv.strides for _, conv in pairs)))
    norm = next(p for p in primitives(copy.head.layers[0]) or () if isinstance(p, Norm))
    _rescale(norm, 2.0 ** -len(copy.modules))
    return Chain(copy.stem, modules, copy.head, chain.image_shape, name=f"{chain.name}_halved")


def _preactivations(chain: Chain) -> list[tuple[tuple[Norm, Convolution], ...]]:
    """Returns norms and convolutions of each pre-activation residual module."""
    known = (lowered(module) for module in chain.modules)
    return [k.preactivation for k in known if k and k.preactivation and not k.gate]


def _rescale(norm: Norm, c: float) -> None:
    """Makes a batch norm do to `c · y` what it did to y, exactly, ε included."""
    gamma, mean, variance = (
        np.asarray(v, np.float64) for v in (norm.gamma, norm.mean, norm.variance)
    )
    # Far down, c² · variance underflows to 0; ε has long outweighed it by then.
    scaled = np.sqrt(c * c * variance + norm.epsilon) / (c * np.sqrt(variance + norm.epsilon))
    norm.gamma.assign(gamma * scaled)
    norm.mean.assign(c * mean)
    norm.variance.assign(c * c * variance)


def _highway(module: Module, strides: int) -> HighwayModule:
    """Returns the module with a gate that is always one half."""
    transform, dtype = module.transform, module.dtype_policy
    spec = ModuleSpec(transform.name, module.shapes[1][-1], strides, module.shortcut is not None)
    return HighwayModule(
        transform,
        transform_gate(spec, HALF, dtype),
        module.shortcut,
        name=module.name,
        dtype=dtype,
    )
