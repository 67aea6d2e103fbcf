// Generated from datasets/entity.schema.json by `npm run codegen`. Do not edit.

/**
 * Registration of a legal entity that takes part in trading.
 */
export interface EntityBody {
  /**
   * Registered name of the entity.
   */
  name: string
  /**
   * Unified social credit code, or the other code under which the entity is registered; never an identity number.
   */
  code: string
  /**
   * What the check of the code found; a wrong check is stored, never refused.
   */
  code_verdict: {
    /**
     * Whether the code has the form of a unified social credit code.
     */
    kind: 'uscc' | 'other'
    /**
     * Check character of the 18 characters.
     */
    outer: 'right' | 'wrong' | 'unreadable'
    /**
     * Check character of the organisation code inside, characters 9 to 17.
     */
    inner: 'right' | 'wrong' | 'unreadable'
  }
  /**
   * Roles in which the entity takes part.
   */
  roles?: ('tenderer' | 'bidder' | 'agency' | 'purchaser' | 'supplier' | 'assignor' | 'assignee' | 'other')[]
  /**
   * Region of registration.
   */
  region?: string
  /**
   * Name of the province or city as the source gives it.
   */
  region_name?: string
  /**
   * Name of the district or county as the source gives it.
   */
  district_name?: string
  /**
   * Industry, with the edition of the classification.
   */
  industry?: {
    /**
     * Code of the industry.
     */
    code: string
    /**
     * Year of the edition of the classification.
     */
    edition: string
  }
  /**
   * Kind of legal entity as registered.
   */
  type?: string
  /**
   * Registered capital.
   */
  capital?: {
    /**
     * Amount of the registered capital, in whole units of the currency.
     */
    amount: string
    /**
     * Currency of the registered capital.
     */
    currency: string
  }
  /**
   * Date of registration.
   */
  registered_on?: string
  /**
   * Status of the registration.
   */
  status?: string
  /**
   * Business scope.
   */
  scope?: string
}
