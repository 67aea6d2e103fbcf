// Generated from datasets/expert.schema.json by `npm run codegen`. Do not edit.

/**
 * A pseudonymous claim that an expert of this origin can evaluate in certain classes; it names no person.
 */
export interface ExpertBody {
  /**
   * Random name that only the origin can resolve; base64url.
   */
  pseudonym: string
  /**
   * Classes in which the expert may evaluate.
   */
  classes: {
    /**
     * Code of the class.
     */
    code: string
    /**
     * Level of the classification at which the code stands, 1 to 4.
     */
    level: number
  }[]
  /**
   * Code of the main class.
   */
  main_class: string
  /**
   * Region in which the expert usually evaluates.
   */
  region: string
  /**
   * Industry of the expert.
   */
  industry?: string
  /**
   * Whether the expert may be drawn.
   */
  available: boolean
  /**
   * How the expert is employed: in service, retired or independent.
   */
  employed_kind?: 'in-service' | 'retired' | 'independent'
  /**
   * Last day on which the expert may be drawn.
   */
  valid_until?: string
  /**
   * Class of the fee standard for shared experts.
   */
  fee_class?: string
}
