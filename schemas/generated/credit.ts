// Generated from datasets/credit.schema.json by `npm run codegen`. Do not edit.

/**
 * A dated credit record of an organisation: black list, violation, penalty, commendation or performance.
 */
export interface CreditBody {
  /**
   * Code of the credit record at its source.
   */
  record_code: string
  /**
   * Organisation that the record is about.
   */
  subject: {
    /**
     * Code of the subject; never an identity number.
     */
    code: string
    /**
     * Name of the subject.
     */
    name: string
    /**
     * Type of the subject; natural persons do not cross.
     */
    type: 'enterprise' | 'institution' | 'government' | 'social-organisation' | 'individual-business' | 'other'
    /**
     * Role of the subject in trading.
     */
    role?: string
  }
  /**
   * Kind of credit record.
   */
  kind: 'blacklist' | 'violation' | 'penalty' | 'commendation' | 'performance'
  /**
   * Type of the violation as the source classes it.
   */
  violation_type?: string
  /**
   * Severity: minor, general or serious.
   */
  severity?: 'minor' | 'general' | 'serious'
  /**
   * Authority that decided.
   */
  authority: string
  /**
   * Number of the deciding document.
   */
  document_code?: string
  /**
   * Date of the deciding document.
   */
  decided_on: string
  /**
   * First day of publication.
   */
  published_from?: string
  /**
   * Last day of publication; after it the record is no longer shown.
   */
  published_until?: string
  /**
   * Restrictions that follow from the record.
   */
  actions?: string[]
  /**
   * Territory, sector and deal class in which the restrictions bind.
   */
  scope?: string
  /**
   * First day of the restrictions.
   */
  confined_from?: string
  /**
   * Last day of the restrictions.
   */
  confined_until?: string
  /**
   * Region of the authority.
   */
  region: string
  /**
   * Whether the record was revoked by its authority.
   */
  revoked?: boolean
  /**
   * Code of the deal in which it happened.
   */
  deal_code?: string
}
