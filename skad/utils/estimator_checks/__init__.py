"""Checks that every estimator of skad passes, and that other people's estimators can be held against.

scikit-learn skips its common checks for estimators that take no 2-D ``X``. These are ours for images
``(n_samples, n_contrasts, height, width)`` and pairs ``(n_samples, 2, n_contrasts, height, width)``, in the
same form: a decorator for pytest, a generator, and a function. scikit-learn's checks that need no data run as
they are; the others have a replacement here:

======================================================  ====================================================
scikit-learn                                            here
======================================================  ====================================================
check_estimators_unfitted, check_fit_check_is_fitted,   check_unfitted, check_failed_fit_leaves_unfitted
check_transformers_unfitted
check_estimators_fit_returns_self                       check_fit_returns_self
check_fit_score_takes_y                                 check_fit_ignores_y
check_estimators_overwrite_params,                      check_fit_keeps_params
check_dont_overwrite_parameters
check_dict_unchanged                                    check_scoring_twice
check_fit_idempotent                                    check_fit_idempotent, check_same_seed_same_result
check_n_features_in, check_n_features_in_after_fitting  check_n_contrasts_in, check_wrong_n_contrasts,
                                                        check_refit_on_other_n_contrasts
check_fit1d, check_fit2d_predict1d                      check_wrong_ndim, check_wrong_kind_of_input
check_fit2d_1sample                                     check_one_slice
check_fit2d_1feature                                    check_constant_images
check_estimators_empty_data_messages                    check_empty_input
check_estimators_nan_inf                                check_infinity, check_nan_in_some_contrasts,
                                                        check_missing_contrast, check_background
check_complex_data, check_dtype_object,                 check_content_that_is_no_number
check_estimator_sparse_array,
check_estimator_sparse_matrix,
check_estimator_sparse_tag
check_estimators_dtypes,                                check_dtypes, check_shapes_and_dtypes
check_transformer_preserve_dtypes
check_classifier_data_not_an_array,                     check_lists_and_strides
check_transformer_data_not_an_array,
check_f_contiguous_array_estimator
check_readonly_memmap_input                             check_memmap, check_fit_keeps_data
check_methods_subset_invariance                         check_subset_invariance
check_methods_sample_order_invariance                   check_order_invariance
check_estimators_pickle                                 check_pickle
check_pipeline_consistency                              check_pipeline
check_transformer_general                               check_fit_and_score_in_one, check_pair_contract
check_outliers_train                                    check_sign
check_outliers_fit_predict                              check_fit_and_score_in_one
check_outlier_contamination                             check_contamination
check_transformer_n_iter,                               check_loss_curve
check_non_transformer_estimators_n_iter
======================================================  ====================================================

Without counterpart, because skad has no sample weights, no array API and no domain of positive numbers only:
check_sample_weights_pandas_series, check_sample_weights_not_an_array, check_sample_weights_list,
check_sample_weights_shape, check_sample_weights_not_overwritten, check_all_zero_sample_weights_error,
check_sample_weight_equivalence_on_dense_data, check_sample_weight_equivalence_on_sparse_data,
check_array_api_input, check_array_api_mixed_inputs, check_array_api_same_namespace,
check_positive_only_tag_during_fit.
"""

from typing import TYPE_CHECKING

from skad.utils.lazy import lazy_exports

if TYPE_CHECKING:
    from skad.utils.estimator_checks.generator import (
        check_estimator,
        estimator_checks_generator,
        parametrize_with_checks,
    )
else:  # imported at first use
    __getattr__, __dir__ = lazy_exports(__name__, __file__)

__all__ = ["check_estimator", "estimator_checks_generator", "parametrize_with_checks"]
