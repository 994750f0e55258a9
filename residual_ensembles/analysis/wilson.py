"""The interval of an error measured on a sample of pictures."""

from statsmodels.stats.proportion import proportion_confint


def wilson(n_wrong: float, n_images: float, confidence: float = 0.95) -> tuple[float, float]:
    """Returns Wilson's score interval of the error of the population the pictures come from.

    Args:
        n_wrong: Pictures classified wrongly, 0 to `n_images`.
        n_images: Pictures in all, 1 or more; no whole number where some count more than others.
        confidence: Level of the two-sided interval, between 0 and 1.

    Returns:
        Lower and upper end, as fractions.

    Raises:
        ValueError: There is no picture, or more are wrong than there are.
    """
    if n_images < 1 or not 0 <= n_wrong <= n_images:
        raise ValueError(
            f"wilson got {n_wrong} wrong of {n_images} pictures; expected at least one picture and "
            "no more wrong than there are. Pass the columns n_wrong and n_images of one lesion."
        )
    low, high = proportion_confint(n_wrong, n_images, alpha=1 - confidence, method="wilson")
    return float(low), float(high)
