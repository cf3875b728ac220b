"""The checkpoints that make_fla_checkpoint.py writes: options of the families of
flash-linear-attention. A case is the name of a family's classes and what its
configuration has besides `SMALL`; options that are `ABSENT` are left out.
"""

ABSENT = object()

SMALL = dict(
    hidden_size=48,
    num_hidden_layers=3,
    vocab_size=61,
    intermediate_size=40,
    max_position_embeddings=256,
    bos_token_id=None,
    eos_token_id=None,
)

ATTENTION = dict(
    layers=[1], num_heads=4, num_kv_heads=2, window_size=7, rope_theta=500.0, qkv_bias=True
)

FLA_CASES = {
    "gla_base": ("GLA", dict(num_heads=3)),
    "gla_mqa": ("GLA", dict(num_heads=4, num_kv_heads=2, feature_map="relu", clamp_min=-0.04, use_output_gate=False, elementwise_affine=False)),
    "gla_nofuse": ("GLA", dict(num_heads=2, fuse_norm=False, feature_map="gelu", expand_k=0.75, expand_v=1.5, tie_word_embeddings=True, norm_eps=0.001)),
    "gla_hybrid": ("GLA", dict(num_heads=2, attn=ATTENTION)),
    "gla_attnres": ("GLA", dict(num_heads=2, attnres_block_size=2, attn=ATTENTION, norm_eps=0.01)),
    "gla_attnres4": ("GLA", dict(num_heads=2, attnres_block_size=4, num_hidden_layers=4)),
    "gla_attnres1": ("GLA", dict(num_heads=2, attnres_block_size=1)),
    "gla_conv": ("GLA", dict(num_heads=2, use_short_conv=True, conv_size=3)),
    "gla_inner": ("GLA", dict(num_heads=2, intermediate_size=ABSENT, hidden_ratio=None, num_hidden_layers=1)),
    "retnet": ("RetNet", dict(num_heads=2, feature_map="gelu", use_short_conv=True)),
    "retnet_mqa": ("RetNet", dict(num_heads=4, num_kv_heads=1, use_output_gate=False, expand_k=0.5, expand_v=0.75)),
    "lin_elementwise_product": ("LinearAttention", dict(num_heads=2, feature_map="elementwise_product", norm_feature_map=False, norm_q=False, norm_k=False, num_kv_heads=None)),
    "lin_hedgehog": ("LinearAttention", dict(num_heads=2, feature_map="hedgehog", norm_feature_map=True, norm_q=False, norm_k=False, num_kv_heads=None)),
    "lin_t2r": ("LinearAttention", dict(num_heads=2, feature_map="t2r", norm_feature_map=False, norm_q=True, norm_k=False, num_kv_heads=None)),
    "lin_dpfp": ("LinearAttention", dict(num_heads=2, feature_map="dpfp", norm_feature_map=False, norm_q=True, norm_k=False, num_kv_heads=None)),
    "lin_elu": ("LinearAttention", dict(num_heads=2, feature_map="elu", norm_feature_map=True, norm_q=False, norm_k=True, num_kv_heads=1)),
    "lin_relu": ("LinearAttention", dict(num_heads=2, feature_map="relu", norm_feature_map=False, norm_q=False, norm_k=True, num_kv_heads=None)),
    "lin_identity": ("LinearAttention", dict(num_heads=2, feature_map="identity", norm_feature_map=False, norm_q=False, norm_k=False, num_kv_heads=None)),
    "delta": ("DeltaNet", dict(num_heads=3, use_short_conv=False)),
    "delta_conv": ("DeltaNet", dict(num_heads=3)),
    "delta_elu": ("DeltaNet", dict(num_heads=3, qk_activation="elu", qk_norm="sum", use_gate=True, allow_neg_eigval=True, use_short_conv=False, hidden_act="powlu")),
    "delta_relu": ("DeltaNet", dict(num_heads=3, qk_activation="relu", use_beta=False, expand_k=0.5, expand_v=1.5, conv_size=2)),
    "gdn": ("GatedDeltaNet", dict(num_heads=2, head_dim=12, num_v_heads=4, use_short_conv=False, allow_neg_eigval=True, output_gate_activation="sigmoid")),
    "gdn_conv": ("GatedDeltaNet", dict(num_heads=2, head_dim=12, use_gate=False, expand_v=1.5)),
    "gdn_attn": ("GatedDeltaNet", dict(num_heads=2, head_dim=12, attn=[ATTENTION, dict(layers=[2], num_heads=2)])),
    "gdp": ("GatedDeltaProduct", dict(num_heads=2, head_dim=12, num_householder=2, use_short_conv=False, use_forget_gate=True, allow_neg_eigval=True)),
    "gdp_noforget": ("GatedDeltaProduct", dict(num_heads=2, head_dim=12, num_householder=3, use_output_gate=False)),
    "gdp1": ("GatedDeltaProduct", dict(num_heads=2, head_dim=12, num_householder=1, use_short_conv=False, use_forget_gate=True)),
    "hgrn": ("HGRN", dict()),
    "hgrn_conv": ("HGRN", dict(use_short_conv=True, expand_ratio=2, use_lower_bound=False, elementwise_affine=False)),
    "hgrn_attn": ("HGRN", dict(attn=ATTENTION)),
    "hgrn2": ("HGRN2", dict(expand_ratio=16)),
    "hgrn2_heads": ("HGRN2", dict(expand_ratio=None, num_heads=4, use_short_conv=True, norm_eps=0.01)),
    "hgrn2_attnres": ("HGRN2", dict(expand_ratio=12, attnres_block_size=2, elementwise_affine=False)),
    "kda": ("KDA", dict(num_heads=2, head_dim=12, num_v_heads=4, use_short_conv=False)),
    "kda_lb": ("KDA", dict(num_heads=2, head_dim=12, expand_v=1.5, safe_gate=True, lower_bound=-3.0, allow_neg_eigval=True)),
    "comba": ("Comba", dict(num_heads=2, head_dim=12, use_short_conv=False)),
    "comba_conv": ("Comba", dict(num_heads=2, head_dim=12, num_v_heads=4, use_output_gate=False, use_inner_decay=False)),
    "rwkv6": ("RWKV6", dict(num_heads=3, proj_low_rank_dim=5, gate_low_rank_dim=7)),
    "rwkv6_opts": ("RWKV6", dict(num_heads=2, expand_k=1.0, expand_v=0.5, norm_first=False, norm_bias=False, fuse_norm=False, hidden_act="relu", intermediate_size=ABSENT, hidden_ratio=None, attn=ATTENTION)),
    "rwkv7": ("RWKV7", dict(head_dim=16, num_heads=None, decay_low_rank_dim=5, gate_low_rank_dim=7, a_low_rank_dim=9, v_low_rank_dim=3)),
    "rwkv7_opts": ("RWKV7", dict(head_dim=None, num_heads=2, norm_first=False, fuse_norm=False, norm_bias=False, hidden_act="gelu", decay_low_rank_dim=None, gate_low_rank_dim=None, a_low_rank_dim=None, v_low_rank_dim=None, tie_word_embeddings=True)),
    "gsa": ("GSA", dict(num_heads=3, num_slots=7)),
    "gsa_groups": ("GSA", dict(num_heads=4, num_kv_heads=2, num_slots=None, expand_k=0.5, feature_map="t2r", use_short_conv=True, conv_size=3, gate_logit_normalizer=3, norm_eps=0.01, attn=ATTENTION)),
    "gsa_relu": ("GSA", dict(num_heads=2, num_slots=5, feature_map="relu", expand_v=1.5, exapnd_k=0.75, elementwise_affine=False, attnres_block_size=2, clamp_min=-1.0, use_output_gate=True, use_norm=False)),
    "abc": ("ABC", dict(num_heads=3, num_slots=7)),
    "abc_conv": ("ABC", dict(num_heads=2, num_slots=None, expand_k=0.75, expand_v=1.5, use_short_conv=True, use_rope=False, clamp_min=-0.5, clamp_max=0.25, elementwise_affine=False, norm_eps=0.01, attn=ATTENTION)),
    "lightnet": ("LightNet", dict(num_heads=None, expand_ratio=12, gate_low_rank_dim=5)),
    "lightnet_heads": ("LightNet", dict(num_heads=4, expand_ratio=None, use_short_conv=True, conv_size=3, elementwise_affine=False, gate_low_rank_dim=9, norm_eps=0.01, attn=ATTENTION)),
    "lightnet_both": ("LightNet", dict(num_heads=3, expand_ratio=10, attnres_block_size=2)),
    "mesa": ("MesaNet", dict(num_heads=3, head_dim=12, use_short_conv=False)),
    "mesa_gate": ("MesaNet", dict(num_heads=2, head_dim=20, use_output_gate=True, conv_size=3, lambda_lower_bound=0.7, max_cg_step_training=5, norm_eps=0.01, attn=ATTENTION)),
    "transformer_window": ("Transformer", dict(num_heads=4, num_kv_heads=2, window_size=5, qk_norm=True, qkv_bias=True, rope_theta=300.0)),
    "forgetting": ("ForgettingTransformer", dict(num_heads=3, num_kv_heads=None)),
    "forgetting_grouped": ("ForgettingTransformer", dict(num_heads=4, num_kv_heads=2, qk_norm=True, use_output_gate=True, qkv_bias=True)),
    "stickbreaking": ("StickBreakingAttention", dict(num_heads=4, num_kv_heads=2, qk_norm=True, norm_eps=0.01)),
    "stickbreaking_itself": ("StickBreakingAttention", dict(num_heads=3, attend_current=True, qkv_bias=True)),
    "nsa": ("NSA", dict(num_heads=32, num_kv_heads=2, head_dim=4, block_size=8, block_counts=3, window_size=3, qkv_bias=True)),
    "nsa_no_window": ("NSA", dict(num_heads=16, num_kv_heads=1, head_dim=6, block_size=8, block_counts=3, window_size=0)),
    "moba": ("MoBA", dict(num_heads=4, num_kv_heads=2, moba_chunk_size=4, moba_topk=2, qk_norm=True, use_output_gate=True)),
    "moba_plain": ("MoBA", dict(num_heads=3, moba_chunk_size=3, moba_topk=3, qkv_bias=True)),
}
