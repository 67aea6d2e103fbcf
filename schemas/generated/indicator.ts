// Generated from datasets/indicator.schema.json by `npm run codegen`. Do not edit.

/**
 * A sealed figure of one period with the digests of its inputs, so that anyone can compute it again.
 */
export interface IndicatorBody {
  /**
   * Name of the indicator.
   */
  indicator: 'trade-monthly'
  /**
   * Edition of the definition of the indicator.
   */
  edition: string
  /**
   * Month that the figure is of.
   */
  period: string
  /**
   * Figures, one row per group.
   */
  rows: {
    /**
     * Region of the group.
     */
    region?: string
    /**
     * Class of trade of the group.
     */
    class?: string
    /**
     * Kind of trading of the group.
     */
    kind?: 'tender' | 'procurement' | 'auction' | 'listing'
    /**
     * Trading platform of the group.
     */
    platform?: string
    /**
     * Number of deals.
     */
    number: number
    /**
     * Sum of the amounts of the deals.
     */
    amount: string
    /**
     * Currency of the sum.
     */
    currency: string
    /**
     * Sum of expert seats drawn.
     */
    expert_seats: number
  }[]
  /**
   * Logs that the figure was computed from, each up to its position.
   */
  inputs: {
    /**
     * Code of the origin.
     */
    origin: string
    /**
     * Name of the dataset.
     */
    dataset: string
    /**
     * Audience of the log.
     */
    audience: string
    /**
     * Epoch of the log.
     */
    epoch: number
    /**
     * Position in the epoch.
     */
    seq: number
    /**
     * Digest of the entry at that position.
     */
    digest: string
    /**
     * Number of records that went into the figure.
     */
    records: number
    /**
     * Digest over the records that went into the figure, sorted by key.
     */
    root: string
  }[]
  /**
   * Codes of the origins whose logs were late or missing.
   */
  late: string[]
}
